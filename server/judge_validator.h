/* judge_validator.h - an app's own validator: a program of its bundle, in the sandbox, with the two answers
 * in /work/a and /work/b (PROTOCOL.md section 6). */
#ifndef SERVER_JUDGE_VALIDATOR_H
#define SERVER_JUDGE_VALIDATOR_H

#include <stdint.h>

#include "run/run.h"
#include "server/judge_answer.h"

enum judge_verdict { JUDGE_SAME, JUDGE_DIFFERENT, JUDGE_UNUSABLE_A, JUDGE_UNUSABLE_B };

struct judge_validator {
    const char *folder; /* holds bundles/ and work/ */
    const struct blobs *blobs;
    int64_t cpu_ms, wall_ms; /* of one comparison */
};

/* Beside those two limits: 512 MiB of memory, no network, the size of both answers and 256 MiB of disk.
 * ERR_INVALID when the program does not keep to its contract (it crashed, ran over a limit, said nothing
 * sensible); ERR_UNSUPPORTED when no sandbox works here; ERR_BUSY as from->stop says. Neither answer
 * clashes. */
enum err judge_validate(const struct judge_validator *v, const struct judge_source *from,
                        const struct manifest *app, const struct digest *bundle, const struct judge_answer *a,
                        const struct judge_answer *b, enum judge_verdict *ret) NODISCARD;
/* The app's bundle, unpacked once below the judge's folder. */
enum err judge_bundle_unpack(const struct judge_validator *v, const struct digest *bundle, char *ret,
                             size_t room) NODISCARD;
/* Runs a program until it ends; ERR_BUSY as from->stop says. */
enum err judge_run_to_end(const struct judge_source *from, const struct run_spec *spec,
                          struct run_outcome *ret) NODISCARD;

#endif
