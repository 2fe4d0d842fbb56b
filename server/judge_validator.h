/* judge_validator.h - an app's own validator: a program of its bundle, in the sandbox, with the two answers
 * in /work/a and /work/b (PROTOCOL.md section 6). */
#ifndef SERVER_JUDGE_VALIDATOR_H
#define SERVER_JUDGE_VALIDATOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "server/judge_answer.h"

enum judge_verdict { JUDGE_SAME, JUDGE_DIFFERENT, JUDGE_UNUSABLE_A, JUDGE_UNUSABLE_B };

struct judge_validator {
    const char *folder; /* holds bundles/ and work/ */
    const struct blobs *blobs;
    const atomic_bool *stop; /* ends what runs, as ERR_BUSY */
};

/* ERR_INVALID when the program does not keep to its contract (it crashed, ran over a limit, said nothing
 * sensible). */
enum err judge_validate(const struct judge_validator *v, const struct judge_source *from,
                        const struct manifest *app, const struct digest *bundle, const struct judge_answer *a,
                        const struct judge_answer *b, enum judge_verdict *ret) NODISCARD;

#endif
