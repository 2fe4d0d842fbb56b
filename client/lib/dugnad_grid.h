/* dugnad_grid.h - a project from C: submit, wait, map, cancel. Link with `pkg-config --cflags --libs dugnad`;
 * log in once with `dugnad login`.
 *
 *     const char *command[] = {"--samples", "1000000", "--block", "{}"};
 *     const char *items[] = {"1", "2", "3"};
 *     struct dugnad_grid_request r = {
 *         .app = "pi", .command = command, .command_count = 4, .items = items, .item_count = 3};
 *     struct dugnad_grid *grid = dugnad_grid_open(NULL);
 *     struct dugnad_grid_future *f;
 *     if (grid && dugnad_grid_map(grid, &r, &f) == DUGNAD_GRID_OK)
 *         for (size_t i = 0; i < 3; i++)
 *             puts(dugnad_grid_answer(f, i)->outputs[0].bytes);
 *
 * One thread at a time may use a grid and its futures. A call that fails leaves its reason, one sentence,
 * with dugnad_grid_error(). Requests that a retry may help are retried for a while. The program should ignore
 * SIGPIPE. */
#ifndef DUGNAD_GRID_H
#define DUGNAD_GRID_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum dugnad_grid_status {
    DUGNAD_GRID_OK,
    DUGNAD_GRID_FAILED,  /* it could not be done: dugnad_grid_error() */
    DUGNAD_GRID_TIMEOUT, /* not all answers are there yet: wait again */
    DUGNAD_GRID_UNITS    /* all outcomes are there, and some units failed or were cancelled */
};

struct dugnad_grid;
struct dugnad_grid_future; /* one submission: the answers that will come */

/* The profile that `dugnad login` has stored under this name; NULL: the current one. Says nothing to the
 * server yet. NULL when it cannot be opened: dugnad_grid_error(NULL) says why. */
struct dugnad_grid *dugnad_grid_open(const char *profile);
void dugnad_grid_close(struct dugnad_grid *grid); /* its futures first; NULL is fine */
/* The last failure in this thread; never NULL. */
const char *dugnad_grid_error(const struct dugnad_grid *grid);

struct dugnad_grid_request {
    const char *app;
    const char *const *command; /* words after the app's entry; {} is the item */
    size_t command_count;       /* 0: {} alone */
    const char *const *items;   /* a unit each */
    size_t item_count;          /* 1 to 1,000,000 */
    const char *name;           /* NULL: none */
    const char *key; /* NULL: none. The same key is the same batch, also in another run of the program */
    int quorum;      /* so many equal answers of different owners; 0: the project's way */
    int priority;
    const char *const *inputs; /* files that every unit has, under their own names; uploaded once */
    size_t input_count;
    int reuse; /* not 0: items that an earlier request with reuse had answered (same app, command, inputs)
                * take that answer, and these answers are remembered */
};

/* NULL when it could not be submitted. What request points to is not needed afterwards. */
struct dugnad_grid_future *dugnad_grid_submit(struct dugnad_grid *grid,
                                              const struct dugnad_grid_request *request);
/* Until every unit has its outcome. timeout_ms -1: for ever; 0: only what is there. */
enum dugnad_grid_status dugnad_grid_wait(struct dugnad_grid_future *f, long timeout_ms);
/* Submits and waits. *ret is the caller's to free where it is not NULL. */
enum dugnad_grid_status dugnad_grid_map(struct dugnad_grid *grid, const struct dugnad_grid_request *request,
                                        struct dugnad_grid_future **ret);
/* What is not done is not done any more; answers that are there stay. */
enum dugnad_grid_status dugnad_grid_cancel(struct dugnad_grid_future *f);
void dugnad_grid_free(struct dugnad_grid_future *f);               /* the batch goes on; NULL is fine */
const char *dugnad_grid_batch(const struct dugnad_grid_future *f); /* its number, for the command line */
size_t dugnad_grid_done(const struct dugnad_grid_future *f);       /* outcomes so far */

struct dugnad_grid_output {
    const char *path;
    const char *bytes; /* checked against their digest; a NUL follows them */
    size_t len;
};
struct dugnad_grid_answer {
    const char *failure; /* NULL: there is an answer */
    const struct dugnad_grid_output *outputs;
    size_t output_count;
};
/* The outcome of item i, as long as the future lives; NULL while there is none. */
const struct dugnad_grid_answer *dugnad_grid_answer(const struct dugnad_grid_future *f, size_t i);

#ifdef __cplusplus
}
#endif
#endif
