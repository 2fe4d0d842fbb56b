/* pulse_history.h - one line a minute of how the project did, in memory and in a file. */
#ifndef SERVER_PULSE_HISTORY_H
#define SERVER_PULSE_HISTORY_H

#include <stdint.h>

#include "base/err.h"

#define PULSE_MINUTES_MAX (30 * 24 * 60)

struct pulse_minute {
    int64_t time_ms;
    /* Counters of the project as they stood. */
    int64_t accepted, failed, errors, ended; /* ended: attempts, in any way */
    int64_t units_open, hosts_active;
};

struct pulse_history;

/* Reads the file if there is one; a line that cannot be read is skipped. */
enum err pulse_history_open(const char *path, struct pulse_history **ret) NODISCARD;
void pulse_history_close(struct pulse_history *h); /* NULL is fine */
/* Appends to the file; that fails only into the log, as nothing depends on it. */
void pulse_history_add(struct pulse_history *h, const struct pulse_minute *m);
uint32_t pulse_history_count(const struct pulse_history *h);
/* i: 0 is the oldest. */
const struct pulse_minute *pulse_history_at(const struct pulse_history *h, uint32_t i);
/* The oldest minute that is not before since_ms; NULL when there is none. */
const struct pulse_minute *pulse_history_since(const struct pulse_history *h, int64_t since_ms);

/* When a unit was accepted last, or none was open; the oldest minute where neither is known, now_ms without
 * any. */
int64_t pulse_history_accepted(const struct pulse_history *h, int64_t now_ms);

struct pulse_day {
    int64_t accepted[24]; /* units, hour by hour */
    int64_t hosts[24];    /* the most that were active */
    int64_t all, failed, errors, ended;
    int64_t open;     /* units, at its end */
    uint32_t minutes; /* of which something is known */
};
void pulse_history_day(const struct pulse_history *h, int64_t from_ms, struct pulse_day *ret);

#endif
