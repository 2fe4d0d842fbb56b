/* lib_program.c - what a user of libdugnad may write; test_lib.py builds and runs it. */
#include <dugnad_grid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 1000 };

static const char *items[ITEMS_MAX];
static char texts[ITEMS_MAX][16];

static int fail(struct dugnad_grid *grid)
{
    fprintf(stderr, "%s\n", dugnad_grid_error(grid));
    dugnad_grid_close(grid);
    return 1;
}

static void print(const struct dugnad_grid_future *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct dugnad_grid_answer *a = dugnad_grid_answer(f, i);
        if (!a)
            puts("nothing yet");
        else if (a->failure)
            puts(a->failure);
        else
            fwrite(a->outputs[0].bytes, 1, a->outputs[0].len, stdout);
    }
}

static int use(struct dugnad_grid *grid, const char *verb, struct dugnad_grid_request *r)
{
    struct dugnad_grid_future *f = NULL;
    if (strcmp(verb, "map") == 0) {
        if (dugnad_grid_map(grid, r, &f) != DUGNAD_GRID_OK)
            return fail(grid);
        print(f, r->item_count);
    } else if (!(f = dugnad_grid_submit(grid, r))) {
        return fail(grid);
    } else if (strcmp(verb, "submit") == 0) {
        puts(dugnad_grid_batch(f));
    } else if (strcmp(verb, "poll") == 0) {
        if (dugnad_grid_wait(f, 0) != DUGNAD_GRID_TIMEOUT || dugnad_grid_answer(f, 0))
            return 3;
        printf("%zu of %zu\n", dugnad_grid_done(f), r->item_count);
    } else if (strcmp(verb, "cancel") == 0) {
        if (dugnad_grid_cancel(f) != DUGNAD_GRID_OK || dugnad_grid_wait(f, 20000) != DUGNAD_GRID_UNITS)
            return fail(grid);
        print(f, r->item_count);
    } else if (strcmp(verb, "input") == 0 || strcmp(verb, "again") == 0) {
        if (dugnad_grid_wait(f, 30000) != DUGNAD_GRID_OK)
            return fail(grid);
        puts(dugnad_grid_batch(f));
    }
    dugnad_grid_free(f);
    dugnad_grid_close(grid);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const command[] = {"{}"};
    if (argc < 4)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    struct dugnad_grid_request r = {
        .app = argv[2], .command = command, .command_count = 1, .items = items, .quorum = 1};
    r.key = argc > 4 ? argv[4] : NULL;
    if (strcmp(argv[1], "input") == 0) {
        r.inputs = (const char *const *)&argv[3];
        r.input_count = 1;
    }
    r.reuse = strcmp(argv[1], "again") == 0;
    r.item_count = r.input_count ? 1 : (size_t)atoi(argv[3]);
    for (size_t i = 0; i < r.item_count; i++) {
        snprintf(texts[i], sizeof texts[i], "%zu", i * i);
        items[i] = texts[i];
    }
    struct dugnad_grid *grid = dugnad_grid_open(NULL);
    return grid ? use(grid, argv[1], &r) : fail(NULL);
}
