/* alert.c - see alert.h */
#include "rules/alert.h"

#include <assert.h>
#include <stddef.h>

enum { EASE_TENTHS = 9, DOUBLINGS_MAX = 10 };

/* What is told is over when it is a tenth better. */
static bool over(double value, double limit, bool told)
{
    return limit > 0 && value > (told ? limit * EASE_TENTHS / 10 : limit);
}

static bool under(double value, double limit, bool told)
{
    return limit > 0 && value < (told ? limit * 10 / EASE_TENTHS : limit);
}

static double share(int64_t part, int64_t all)
{
    return all > 0 && part > 0 ? (double)part / (double)all : 0;
}

static bool ends(int64_t end_ms, const struct alert_limits *l, const struct alert_sample *s)
{
    return l->ends_ms > 0 && end_ms - s->now_ms < l->ends_ms;
}

bool alert_is_wrong(enum alert_kind kind, const struct alert_limits *l, const struct alert_sample *s,
                    bool told)
{
    double disk = (double)l->disk_bytes, most = ALERT_DISK_SHARE * (double)s->disk_all;
    switch (kind) {
    case ALERT_HOSTS:
        return s->hosts_day >= ALERT_HOSTS_LEAST &&
               over(share(s->hosts_day - s->hosts_hour, s->hosts_day), l->hosts_gone, told);
    case ALERT_ERRORS:
        return (told || s->errors_hour >= ALERT_ERRORS_LEAST) &&
               over(share(s->errors_hour, s->ended_hour), l->errors, told);
    case ALERT_BACKLOG:
        return over((double)s->backlog_ms, (double)l->backlog_ms, told);
    case ALERT_SILENCE:
        return over((double)s->silence_ms, (double)l->silence_ms, false);
    case ALERT_DISK:
        return s->disk_all > 0 && under((double)s->disk_free, disk < most ? disk : most, told);
    case ALERT_CERTIFICATE:
        return ends(s->certificate_ends_ms, l, s);
    case ALERT_ROOT:
        return ends(s->root_ends_ms, l, s);
    case ALERT_READY:
        return !s->ready;
    case ALERT_LOAD:
        return over(s->load, l->load, told);
    case ALERT_ROLLOUT:
        return s->stopped;
    case ALERT_KINDS:
        break;
    }
    assert(kind < ALERT_KINDS);
    return false;
}

/* How long it must be well before its end is told. */
static int64_t calm_ms(const struct alert_state *s, const struct alert_policy *p)
{
    uint32_t doublings = s->begins > 1 ? s->begins - 1 : 0;
    int64_t ms = p->wait_ms << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    return ms < p->repeat_ms ? ms : p->repeat_ms;
}

static enum alert_notice begin(struct alert_state *s, const struct alert_policy *p, int64_t now_ms)
{
    bool again = s->ended_ms > 0 && now_ms - s->ended_ms < p->repeat_ms;
    s->begins = again && s->begins < UINT32_MAX ? s->begins + 1 : 1;
    s->told = true;
    s->since_ms = 0;
    s->told_ms = now_ms;
    return ALERT_BEGINS;
}

static enum alert_notice end(struct alert_state *s, int64_t now_ms)
{
    s->told = false;
    s->since_ms = 0;
    s->ended_ms = now_ms;
    return ALERT_ENDS;
}

enum alert_notice alert_step(struct alert_state *s, const struct alert_policy *p, bool wrong, int64_t now_ms)
{
    s->told_ms = s->told_ms < now_ms ? s->told_ms : now_ms;
    s->ended_ms = s->ended_ms < now_ms ? s->ended_ms : now_ms;
    if (wrong == s->told) {
        s->since_ms = 0;
        if (!wrong || now_ms - s->told_ms < p->repeat_ms)
            return ALERT_NOTHING;
        s->told_ms = now_ms;
        return ALERT_LASTS;
    }
    if (s->since_ms == 0 || s->since_ms > now_ms)
        s->since_ms = now_ms;
    if (now_ms - s->since_ms < (wrong ? p->wait_ms : calm_ms(s, p)))
        return ALERT_NOTHING;
    return wrong ? begin(s, p, now_ms) : end(s, now_ms);
}

const char *alert_kind_name(enum alert_kind kind)
{
    static const char *const names[ALERT_KINDS] = {
        [ALERT_HOSTS] = "hosts",     [ALERT_ERRORS] = "errors", [ALERT_BACKLOG] = "backlog",
        [ALERT_SILENCE] = "silence", [ALERT_DISK] = "disk",     [ALERT_CERTIFICATE] = "certificate",
        [ALERT_ROOT] = "root",       [ALERT_READY] = "ready",   [ALERT_LOAD] = "load",
        [ALERT_ROLLOUT] = "rollout"};
    assert(kind < ALERT_KINDS);
    return names[kind];
}

const char *alert_notice_name(enum alert_notice notice)
{
    static const char *const names[] = {[ALERT_NOTHING] = "nothing",
                                        [ALERT_BEGINS] = "begins",
                                        [ALERT_LASTS] = "lasts",
                                        [ALERT_ENDS] = "ends"};
    return names[notice];
}
