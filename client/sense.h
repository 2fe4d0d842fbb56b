/* sense.h - samples of the PC for policy.h: who uses it, what else it does, what it runs on. Reads only what
 * anybody may read; what it cannot tell it says it does not know. */
#ifndef CLIENT_SENSE_H
#define CLIENT_SENSE_H

#include <stdint.h>

#include "base/err.h"
#include "client/plan/policy.h"

struct sense;

struct sense_settings {
    const char *exclusive; /* names of programs, separated by blanks; "" for none */
    const char *folder;    /* where the data is */
    const char *metered;   /* yes, no, auto */
};
enum err sense_new(const struct sense_settings *settings, struct sense **ret_sense) NODISCARD;
void sense_free(struct sense *s); /* NULL is fine */
/* own_cpu_ms: processor time that our work has used since any fixed moment. What changes slowly is looked at
 * every five seconds only. ret->exclusive lives until the next call. */
/* All but moved_day and moved_month. */
void sense_take(struct sense *s, int64_t own_cpu_ms, struct policy_sample *ret);

#endif
