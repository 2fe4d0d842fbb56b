/* policy.h - may the work run now, and on how many cores? PURE, like plan.h: the shell takes samples of the
 * PC and of its owner's wishes, policy_step() says what follows, with one sentence's reason.
 *
 * What disturbs stops work at once; work goes on only when nothing has disturbed for a while, so that it does
 * not flicker. */
#ifndef CLIENT_PLAN_POLICY_H
#define CLIENT_PLAN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_DAY_MINUTES  1440
#define POLICY_WEEK_MINUTES (7 * POLICY_DAY_MINUTES)
#define POLICY_WINDOWS_MAX  32

/* While somebody uses the PC, and while not. */
struct policy_profile {
    double cores_share; /* of the cores that may be used; 0: none */
    double load_max;    /* pause when others use more than this share of the processor; 0: not looked at */
};

struct policy_window { /* minutes of the week, Monday 00:00 is 0; until <= from: over the week's end */
    uint16_t from, until;
};

struct policy_settings {
    uint32_t cores;
    bool smooth; /* a part of a core can be had: policy_verdict.share */
    struct policy_profile in_use, away;
    int64_t away_after_ms; /* without input, nobody uses the PC any more */
    int64_t grace_ms;      /* nothing has disturbed for so long: go on */
    bool on_battery;       /* may work while the PC is not plugged in */
    uint64_t memory_free_min;
    uint64_t disk_free_min;
    double pressure_max; /* others wait for memory no more than this share of the time; 0: not looked at */
    double temperature_max_c;                /* 0: not looked at */
    bool on_metered;                         /* may use a network that costs by the byte */
    uint64_t moved_day_max, moved_month_max; /* bytes; 0: any */
    uint32_t window_count;                   /* 0: at any time */
    struct policy_window windows[POLICY_WINDOWS_MAX];
};

struct policy_sample {
    int64_t now_ms;       /* never goes back */
    uint16_t week_minute; /* local time */
    int64_t input_ms_ago; /* since somebody typed or moved the mouse; -1: not known, taken as away */
    double others_load;   /* share of all cores that others than our work use, 0..1; -1: not known */
    uint64_t memory_free; /* could be had without swapping; UINT64_MAX: not known */
    uint64_t disk_free;   /* where the data is; UINT64_MAX: not known */
    double pressure;      /* share of the last seconds that something waited for memory; -1: not known */
    double temperature_c; /* the hottest; 0: not known */
    bool metered;         /* false when not known */
    uint64_t moved_day, moved_month; /* bytes that we have moved since the local day and month began */
    bool on_battery;                 /* false when not known */
    const char *exclusive;           /* a program that wants the PC alone and runs now; NULL: none */
};

/* The first that holds says why. X(NAME, word) */
#define POLICY_REASON_LIST(X)                                                                                \
    X(NONE, "none")                                                                                          \
    X(SCHEDULE, "schedule")                                                                                  \
    X(EXCLUSIVE, "exclusive")                                                                                \
    X(BATTERY, "battery")                                                                                    \
    X(TEMPERATURE, "temperature")                                                                            \
    X(MEMORY, "memory")                                                                                      \
    X(PRESSURE, "pressure")                                                                                  \
    X(DISK, "disk")                                                                                          \
    X(IN_USE, "in_use")                                                                                      \
    X(LOAD, "load")                                                                                          \
    X(GRACE, "grace") /* nothing disturbs any more, but not for long enough */
enum policy_reason {
#define X(name, word) POLICY_##name,
    POLICY_REASON_LIST(X)
#undef X
        POLICY_REASONS
};
const char *policy_reason_word(enum policy_reason r);

/* Why the network is left alone. */
enum policy_network { POLICY_NETWORK_FREE, POLICY_NETWORK_METERED, POLICY_NETWORK_DAY, POLICY_NETWORK_MONTH };

struct policy {
    bool stopped;               /* work was told to stop */
    enum policy_reason because; /* what stopped it last */
    int64_t calm_since_ms;      /* nothing disturbs since then */
    int64_t load_since_ms;      /* others use too much since then; 0: they do not */
    bool began;
};

struct policy_verdict {
    uint32_t cores; /* that may work now; 0: none */
    double share;   /* of cores, for all work together: cores or less */
    bool in_use;
    enum policy_reason reason; /* why there are 0 */
    bool memory_short;         /* what stands still should not lie in memory either */
    enum policy_network network;
    int64_t look_again_ms; /* a change may follow from time alone; INT64_MAX: no */
};

void policy_step(struct policy *p, const struct policy_settings *s, const struct policy_sample *sample,
                 struct policy_verdict *ret);
/* One sentence's middle for people: "on battery", "somebody uses the PC". room 160 is enough. */
void policy_text(const struct policy *p, const struct policy_verdict *v, const struct policy_sample *sample,
                 char *ret, uint32_t room);

const char *policy_network_text(enum policy_network n); /* "" when it is free */

#endif
