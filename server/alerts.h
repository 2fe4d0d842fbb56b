/* alerts.h - tells the operator when something is wrong and when it is over (rules/alert.h decides), by mail
 * and web hook, and into the log; mails yesterday's report; calls the heartbeat's address while all is well.
 * A thread of its own.
 *
 * What is to be told is durable in DATA/alerts.json before it is sent, and sent at least once: a channel that
 * fails is tried again with full-jitter back-off (5 s to 10 min) and gets everything that happened meanwhile
 * at once. */
#ifndef SERVER_ALERTS_H
#define SERVER_ALERTS_H

#include "base/buf.h"
#include "base/json.h"
#include "server/members.h"
#include "server/pulse.h"
#include "server/settings.h"
#include "server/store.h"
#include <stdatomic.h>

struct alerts;

struct alerts_config {
    const struct settings *settings;
    const char *data;
    struct store *store;                     /* a reader, the alerts' alone until alerts_stop() */
    struct pulse *pulse;                     /* outlives the alerts */
    const struct members *members;           /* NULL: the only server */
    const atomic_llong *certificate_ends_ms; /* outlives the alerts */
    int64_t root_ends_ms;
};

enum err alerts_start(const struct alerts_config *config, struct alerts **ret_alerts) NODISCARD;
/* Waits for what is being sent, a minute at most; NULL is fine. */
void alerts_stop(struct alerts *a);
/* What is wrong now and was told, as the items of an open list. Any thread. */
void alerts_write(struct alerts *a, struct json_out *o);

/* Sends a test notice each way that is set, a line in `out` for each; ERR_INVALID where none is set, else the
 * last error. */
enum err alerts_test(const struct settings *settings, struct buf *out) NODISCARD;

#endif
