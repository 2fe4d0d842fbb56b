/* run.h - starts one program from the network in the sandbox, watches it against its limits, stops it, and
 * says how it ended. Used by the client for apps and by the server for validators. Linux only; the mechanisms
 * are in sandbox*.c.
 *
 * The program sees /app (the unpacked bundle, read-only), /work (its scratch folder, read-write, its working
 * directory), /dev/null, zero and urandom, and its own processes in /proc; no network, no other file, no
 * other process. Nothing here blocks: the caller polls. One struct run is one process tree; all of it ends
 * when the run ends or when the caller dies. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define RUN_ARGS_MAX 600
#define RUN_ENV_MAX  80

/* 0 is "no limit" except where said. */
struct run_limits {
    int64_t cpu_ms, wall_ms;
    uint64_t memory_bytes; /* resident, of all processes together */
    uint64_t disk_bytes;   /* of the scratch folder */
    uint32_t processes;    /* and threads; 0: 64 */
    uint32_t files;        /* open at once in one process; 0: 256 */
};

struct run_spec {
    const char *app_folder;  /* becomes /app; NULL: there is none */
    const char *work_folder; /* becomes /work; must exist; its owner is changed when the caller is root */
    const char *const
        *argv; /* argv[0] is a path inside /app, or absolute as the program sees it; ends with NULL */
    const char *const *env; /* "NAME=value", added to PATH, HOME, TMPDIR, LANG; ends with NULL; may be NULL */
    const char *stdin_path; /* relative to /work; NULL: /dev/null */
    const char *stdout_path;   /* relative to /work; NULL: /dev/null */
    uint32_t stderr_bytes_max; /* the tail of standard error that is kept; 0: 2048 */
    struct run_limits limits;
    const char *groups; /* of run_groups_open(): the run is limited there too; NULL or "": not */
    bool idle;          /* lowest priority in every respect: for a volunteer's PC */
};

enum run_end {
    RUN_END_OK,   /* exit status 0 */
    RUN_END_EXIT, /* another exit status */
    RUN_END_SIGNAL,
    RUN_END_CPU_TIME, /* ... its limits, enforced here */
    RUN_END_WALL_TIME,
    RUN_END_MEMORY,
    RUN_END_DISK,
    RUN_END_PROCESSES,
    RUN_END_STOPPED, /* run_stop() */
    RUN_END_LAUNCH,  /* it could not be started: message says why */
    RUN_ENDS
};

struct run_usage {
    int64_t cpu_ms, wall_ms; /* wall without the time it was paused; of what has run 1 at least */
    uint64_t memory_bytes, memory_bytes_max, disk_bytes;
    uint32_t processes;
};

struct run_outcome {
    enum run_end end;
    int exit_code, signal; /* of EXIT, SIGNAL */
    struct run_usage usage;
    char message[256];      /* one sentence for people */
    char stderr_tail[8192]; /* "" when it said nothing; may hold any bytes but NUL */
};

struct run;

/* ERR_UNSUPPORTED when no sandbox works on this machine: then nothing is started, ever. The folders are
 * opened before this returns. */
enum err run_start(const struct run_spec *spec, int64_t now_ms, struct run **ret_run) NODISCARD;
/* Samples use, enforces limits. *ret_ended: call run_finish() next. Call it at least every run_poll_ms(). */
void run_poll(struct run *run, int64_t now_ms, bool *ret_ended);
int64_t run_poll_ms(const struct run *run);
/* A descriptor that becomes readable when the run may have ended; it stays run's, and may be another one
 * after each run_poll(). */
int run_fd(const struct run *run);
const struct run_usage *run_usage(const struct run *run);
void run_pause(struct run *run, int64_t now_ms); /* every process stops where it is */
void run_resume(struct run *run, int64_t now_ms);
bool run_is_paused(const struct run *run);
void run_stop(struct run *run); /* kills all; poll until it has ended */
/* How it ended, once run_poll() has said so: the scratch folder is as the program left it, and nobody changes
 * it any more. */
void run_take_outcome(struct run *run, struct run_outcome *ret);
/* Frees run; kills it first if it has not ended. ret may be NULL. Waits for the sandbox's own processes,
 * which take some tenths of a millisecond longer: do what else there is to do first. */
void run_finish(struct run *run, struct run_outcome *ret);

const char *run_end_name(enum run_end e); /* "ok" or the word of ATTEMPT_ERROR_LIST */

/* Control groups (version 2), where this process may make some: the kernel then sees all processor time and
 * memory of a run, stops and ends it at once. Everything works without them too. For a daemon, once: its
 * process goes to a group of its own beside those of the runs. ERR_UNSUPPORTED, with a sentence, where there
 * are none. */
#define RUN_GROUPS_ROOM 512
enum err run_groups_open(char ret_folder[RUN_GROUPS_ROOM]) NODISCARD;
enum err
run_groups_find(char ret_own[RUN_GROUPS_ROOM]) NODISCARD; /* whether that would work; changes nothing */
void run_groups_close(const char *folder);
/* All runs together use so many cores at most, smoothly; 0: any. false: nothing here can. */
bool run_groups_cpu(const char *folder, double cores);

/* What works here, for doctor. */
struct run_layer {
    const char *name;
    bool works, needed; /* without a needed one nothing is run */
    char remedy[320];   /* "" when it works */
};
#define RUN_LAYERS_MAX 12
uint32_t run_layers(struct run_layer ret[RUN_LAYERS_MAX]);

/* Opens an output that a program left in its scratch folder: a regular file with one link, reached without
 * any symbolic link, at most bytes_max bytes. ERR_MISSING, ERR_LIMIT, ERR_INVALID otherwise. */
enum err run_open_output(const char *work_folder, const char *path, uint64_t bytes_max, int *ret_fd,
                         uint64_t *ret_bytes) NODISCARD;

#endif
