/* alert.h - when an operator is told that something is wrong, again, and that it is over. PURE.
 *
 * Each kind of trouble has a state of its own. What is wrong must stay wrong for a while before anybody is
 * told, and what is told must stay well before its end is told. A trouble that comes and goes is told less
 * and less: each beginning within the time of a repetition doubles how long it must be well, so that a
 * flapping trouble becomes a lasting one. Values near their limit do not flap either: what is told is over
 * only when the value is a tenth better than the limit. */
#ifndef RULES_ALERT_H
#define RULES_ALERT_H

#include <stdbool.h>
#include <stdint.h>

enum alert_kind {
    ALERT_HOSTS,       /* hosts are gone */
    ALERT_ERRORS,      /* attempts end in errors */
    ALERT_BACKLOG,     /* answers wait to be judged, or hooks to be called */
    ALERT_SILENCE,     /* nothing is accepted though work waits */
    ALERT_DISK,        /* little room */
    ALERT_CERTIFICATE, /* it ends soon */
    ALERT_ROOT,        /* the root statement ends soon */
    ALERT_READY,       /* the server itself says that it is not ready */
    ALERT_LOAD,        /* it is busy: amber, soon no new batch is taken */
    ALERT_ROLLOUT,     /* a new version of an app was stopped by itself */
    ALERT_KINDS
};

struct alert_limits {   /* 0 switches one off */
    double hosts_gone;  /* share of the hosts of the last day that did not call within the last hour */
    double errors;      /* share of the attempts that ended within the last hour */
    int64_t backlog_ms; /* age of the oldest that waits */
    int64_t silence_ms;
    uint64_t disk_bytes; /* and less than ALERT_DISK_SHARE of the disk */
    int64_t ends_ms;     /* before the end of certificate and root statement */
    double load;         /* share of what the machine can do */
};

#define ALERT_DISK_SHARE   0.15
#define ALERT_HOSTS_LEAST  5  /* fewer hosts in a day: a PC that is switched off is no news */
#define ALERT_ERRORS_LEAST 20 /* fewer errors within the hour are no news either */

struct alert_sample {
    int64_t now_ms;
    int64_t hosts_hour, hosts_day; /* that called within it */
    int64_t errors_hour, ended_hour;
    int64_t backlog_ms, silence_ms; /* 0: nothing waits */
    uint64_t disk_free, disk_all;
    int64_t certificate_ends_ms, root_ends_ms;
    bool ready;
    double load;
    bool stopped; /* a version of an app, by itself */
};

struct alert_policy {
    int64_t wait_ms;   /* wrong, or well, for so long before anybody is told */
    int64_t repeat_ms; /* what stays wrong is told again so often */
};

struct alert_state {  /* zeroed: well, nobody was told of anything. Durable. */
    bool told;        /* people think that it is wrong */
    int64_t since_ms; /* since when it is otherwise than told; 0: it is as told */
    int64_t told_ms;  /* when they were told last, of its beginning or of its lasting */
    int64_t ended_ms; /* when they were told of its end */
    uint32_t begins;  /* so often it has begun, each within a repetition of the last end */
};

enum alert_notice { ALERT_NOTHING, ALERT_BEGINS, ALERT_LASTS, ALERT_ENDS };

/* Is it wrong? told: as the state has it, for the hysteresis. */
bool alert_is_wrong(enum alert_kind kind, const struct alert_limits *limits,
                    const struct alert_sample *sample, bool told);
/* One look: moves the state on, says what people are to be told. A clock that was set back counts as no time.
 */
enum alert_notice alert_step(struct alert_state *state, const struct alert_policy *policy, bool wrong,
                             int64_t now_ms);

const char *alert_kind_name(enum alert_kind kind);       /* "hosts" */
const char *alert_notice_name(enum alert_notice notice); /* "begins" */

#endif
