/* task.h - one attempt, proved and ready to be carried out: nothing of it is used before everything of it has
 * been checked (wire/PROTOCOL.md section 2). */
#ifndef CLIENT_TASK_H
#define CLIENT_TASK_H

#include <stdint.h>

#include "base/arena.h"
#include "client/depot.h"
#include "wire/order.h"
#include "wire/trust.h"
#include "wire/work_msg.h"

enum { TASK_PROOFS_MAX = 16 };

/* The names of what an attempt consists of, from a verified lease. */
struct task_ids {
    struct attempt_ref id;
    struct digest order, release, bundle;
    const char *spec;
    size_t spec_len;
    const char *audit; /* NULL: the whole unit */
};

struct task {
    struct spec spec;
    struct order order;
    struct release release;
    struct wu_limits limits; /* the order's over the app's */
    struct file_ref *inputs; /* of the order and of the unit */
    uint32_t input_count;
    const char *audit; /* the items to recompute; NULL: the whole unit */
};

/* A unit from a reply: the project's keys are valid now, the units statement is theirs, the spec is in it.
 * ret->spec points into the unit; ret->order is what the order's digest must be. */
enum err task_accept(const struct trust *t, const struct work_unit *unit, const struct work_chunk *chunks,
                     uint32_t chunk_count, int64_t now_ms, struct task_ids *ret) NODISCARD;
/* An envelope as GET /v1/releases/DIGEST gives it: signed by enough release keys, and the statement asked
 * for. */
enum err task_check_release(const struct trust *t, const struct digest *release, const char *envelope,
                            size_t len, struct buf *ret_payload) NODISCARD;
/* Release envelopes that this process has proved, byte by byte the same, under these keys: two signatures
 * need not be computed again at each start and end of a unit. Nothing is believed of a file: it is read and
 * hashed each time. Zeroed is valid. */
struct task_proofs {
    struct key_set keys;
    struct digest envelopes[TASK_PROOFS_MAX];
    uint32_t next; /* the oldest makes room */
};

/* The same as task_check_release(), which is not asked about what it has found good already. */
enum err task_prove_release(struct task_proofs *proofs, const struct trust *t, const struct digest *release,
                            const char *envelope, size_t len, struct buf *ret_payload) NODISCARD;
/* Reads order and release from the depot and proves that they belong together and to the unit. ERR_UNTRUSTED
 * when they do not, ERR_MISSING when one is not in the depot (any more). All texts live in the arena. */
enum err task_load(struct depot *depot, const struct trust *t, struct task_proofs *proofs,
                   const struct task_ids *ids, int64_t now_ms, struct arena *a, struct task *ret) NODISCARD;
/* The words of the command line and "NAME=value" of the environment, each ending with NULL, in the arena. */
enum err task_command(const struct task *task, struct arena *a, const char ***ret_argv,
                      const char ***ret_env) NODISCARD;

#endif
