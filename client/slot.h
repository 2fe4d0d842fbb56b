/* slot.h - the scratch folder of one attempt: DATA/slots/ATTEMPT. Filled, run in, emptied of its outputs,
 * removed; kept while the attempt is interrupted, for what its program goes on from. */
#ifndef CLIENT_SLOT_H
#define CLIENT_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/depot.h"
#include "client/outcome.h"
#include "client/task.h"
#include "run/run.h"

struct slot_limits {
    const char *groups; /* of run_groups_open(); NULL or "": none */ /* of this host; 0: none */
    uint64_t memory_bytes, disk_bytes;
    bool idle;
    bool afresh; /* without what an earlier run has kept */
};

/* Makes the folder anew with the task's inputs, and the checkpoint files of the one that was there, and
 * starts the program in it. ERR_CORRUPT: an input has to be fetched again. */
enum err slot_start(const char *folder, struct depot *depot, const struct task *task,
                    const struct slot_limits *limits, int64_t now_ms, struct run **ret) NODISCARD;
/* Copies the outputs of a run that ended well into answer_folder, made here, as files "0", "1", ... in the
 * order of ret->outputs, durably. What is missing, too large or no file gives the outcome "output"; an error
 * is returned only when this host failed. Frees run. */
enum err slot_finish(const char *folder, struct run *run, const struct task *task, const char *answer_folder,
                     struct arena *a, struct outcome *ret) NODISCARD;

/* The files between host and program, in .dugnad of the folder, for apps that say they use the SDK
 * (sdk/README.md). The folder is the program's: nothing in it is followed or believed. */
#define SLOT_STOP       "stop"
#define SLOT_CHECKPOINT "checkpoint"
enum err slot_make_grid(const char *folder) NODISCARD;
bool slot_wish(const char *folder, const char *name); /* false: it could not be said */
double slot_progress(const char *folder);             /* 0..1; -1: not known */

#endif
