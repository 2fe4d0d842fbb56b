/* judge.h - compares answers where equal digests are not all that counts: within a numeric tolerance, or by
 * the app's own validator program in the sandbox; holds audits against answers; runs the app's checker. A
 * thread of its own, fed by the outbox.
 *
 * Answers with equal digests are equal, and nothing is run for them. The others are held against one of each
 * group, or against the canonical answer alone once there is one. As numbers are compared outputs of up to
 * 64 MiB; larger ones must be the same bytes.
 *
 * A comparison that fails is tried again with back-off. After 5 tries the judge gives up and the unit has
 * failed (or, if it has its canonical answer, the late ones get neither credit nor blame), unless it is this
 * machine that cannot (no sandbox, a full disk, no memory): then it goes on trying until that is mended. */
#ifndef SERVER_JUDGE_H
#define SERVER_JUDGE_H

#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/members.h"
#include "server/store.h"

struct judge;

struct judge_config {
    struct store *store; /* a reader, the judge's alone until judge_stop() */
    struct engine_thread *engine;
    const struct members *members; /* NULL: the only server */
    const struct blobs *blobs;
    struct digest audit_key; /* as the engine's */
    const char *folder; /* for bundles and scratch; made, its content is the judge's and goes at the start */
    /* 0 means the default in brackets. */
    int64_t retry_ms;                            /* [2000] the longest first back-off, doubled each time */
    int64_t validator_cpu_ms, validator_wall_ms; /* [60000, 120000] of one comparison */
};

enum err judge_start(const struct judge_config *config, struct judge **ret_judge) NODISCARD;
void judge_wake(struct judge *j); /* there is something new in the outbox; any thread, quick */
/* Breaks off the comparison that is under way (it is done again after the next start); NULL is fine. */
void judge_stop(struct judge *j);

#endif
