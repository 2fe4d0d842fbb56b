#include "rules/wu_history.h"

#include <assert.h>
#include <string.h>

#include "base/str.h"

#define DIGEST_CHARS 43 /* base64url of 32 bytes, without padding */

/* What stands after the time. */
enum shape {
    SHAPE_BARE,
    SHAPE_LEASE,
    SHAPE_RENEW,
    SHAPE_REPORT,
    SHAPE_ERROR,
    SHAPE_JUDGED,
    SHAPE_COUNT,
    SHAPE_VOID,
    SHAPE_TAKE,
};

static const uint8_t shapes[WU_EVENTS] = {
    [WU_EV_LEASE] = SHAPE_LEASE, [WU_EV_RENEW] = SHAPE_RENEW,   [WU_EV_REPORT] = SHAPE_REPORT,
    [WU_EV_ERROR] = SHAPE_ERROR, [WU_EV_JUDGED] = SHAPE_JUDGED, [WU_EV_CONFIRM] = SHAPE_COUNT,
    [WU_EV_AUDIT] = SHAPE_COUNT, [WU_EV_VOID] = SHAPE_VOID,     [WU_EV_TAKE] = SHAPE_TAKE,
};

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct pen {
    char *text;
    size_t len;
};

static void put(struct pen *p, char c)
{
    assert(p->len + 1 < WU_HISTORY_BYTES_MAX);
    p->text[p->len++] = c;
}

static void put_text(struct pen *p, const char *text)
{
    while (*text)
        put(p, *text++);
}

static void put_u64(struct pen *p, uint64_t n)
{
    char digits[STR_U64_BYTES];
    str_from_u64(n, digits);
    put_text(p, digits);
}

static void put_i64(struct pen *p, int64_t n)
{
    if (n < 0)
        put(p, '-');
    put_u64(p, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

static void put_word(struct pen *p, const char *word)
{
    put(p, '"');
    put_text(p, word);
    put(p, '"');
}

static void put_digest(struct pen *p, const struct digest *d)
{
    uint32_t bits = 0, held = 0;
    put(p, '"');
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        bits = bits << 8 | d->bytes[i];
        for (held += 8; held >= 6; held -= 6)
            put(p, base64url[bits >> (held - 6) & 63]);
    }
    put(p, base64url[bits << (6 - held) & 63]);
    put(p, '"');
}

static void put_groups(struct pen *p, const uint32_t groups[ATTEMPTS_MAX])
{
    uint32_t count = ATTEMPTS_MAX;
    while (count > 0 && groups[count - 1] == WU_GROUP_NONE)
        count--;
    put(p, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(p, ',');
        put_i64(p, groups[i] == WU_GROUP_UNUSABLE ? -1 : (int64_t)groups[i]);
    }
    put(p, ']');
}

static void put_number(struct pen *p, uint64_t n)
{
    put(p, ',');
    put_u64(p, n);
}

static void put_attempt(struct pen *p, const struct wu_event *ev)
{
    put_number(p, ev->attempt);
    put_number(p, ev->host_id);
}

static void put_lease(struct pen *p, const struct wu_event *ev)
{
    if (ev->lease_ms == 0)
        return; /* the rules' */
    put(p, ',');
    put_i64(p, ev->lease_ms);
}

static void put_rest(struct pen *p, const struct wu_event *ev)
{
    switch ((enum shape)shapes[ev->kind]) {
    case SHAPE_BARE:
        break;
    case SHAPE_LEASE:
        put_attempt(p, ev);
        put_number(p, ev->owner_id);
        put_lease(p, ev);
        break;
    case SHAPE_RENEW:
        put_attempt(p, ev);
        put_lease(p, ev);
        break;
    case SHAPE_REPORT:
        put_attempt(p, ev);
        put(p, ',');
        put_digest(p, &ev->answer);
        break;
    case SHAPE_ERROR:
        put_attempt(p, ev);
        put(p, ',');
        put_word(p, attempt_error_name(ev->error));
        break;
    case SHAPE_JUDGED:
        put(p, ',');
        if (ev->error != ATTEMPT_ERROR_NONE)
            put_word(p, attempt_error_name(ev->error));
        else
            put_groups(p, ev->groups);
        break;
    case SHAPE_COUNT:
        put_number(p, ev->count);
        break;
    case SHAPE_VOID:
        put_number(p, ev->attempt);
        break;
    case SHAPE_TAKE:
        put(p, ',');
        put_digest(p, &ev->answer);
        put_number(p, ev->source);
        break;
    }
}

size_t wu_history_write(const struct wu_event *ev, int64_t base_ms, char ret_line[WU_HISTORY_BYTES_MAX])
{
    struct pen p = {.text = ret_line};
    int64_t since_ms;
    bool overflow = __builtin_sub_overflow(ev->now_ms, base_ms, &since_ms);
    assert(!overflow && ev->kind < WU_EVENTS);
    (void)overflow;
    put(&p, '[');
    put_word(&p, wu_event_name(ev->kind));
    put(&p, ',');
    put_i64(&p, since_ms);
    put_rest(&p, ev);
    put(&p, ']');
    ret_line[p.len] = 0;
    return p.len;
}

/* A reader that has failed stays failed, so that only the end need be checked. */
struct eye {
    const char *at, *end;
    bool failed;
};

static bool sees(struct eye *e, char c)
{
    return !e->failed && e->at < e->end && *e->at == c;
}

static bool take(struct eye *e, char c)
{
    if (sees(e, c)) {
        e->at++;
        return true;
    }
    e->failed = true;
    return false;
}

static uint64_t take_u64(struct eye *e, uint64_t max)
{
    uint64_t n = 0;
    const char *start = e->at;
    for (; !e->failed && e->at < e->end && *e->at >= '0' && *e->at <= '9'; e->at++) {
        uint64_t digit = (uint64_t)(*e->at - '0');
        if (n > (max - digit) / 10 || (n == 0 && e->at > start)) /* too large, or a leading zero */
            e->failed = true;
        else
            n = n * 10 + digit;
    }
    if (e->at == start)
        e->failed = true;
    return n;
}

static int64_t take_i64(struct eye *e)
{
    if (!sees(e, '-'))
        return (int64_t)take_u64(e, INT64_MAX);
    e->at++;
    uint64_t n = take_u64(e, (uint64_t)INT64_MAX + 1);
    if (n == 0)
        e->failed = true; /* "-0" */
    return e->failed ? 0 : (int64_t)(0 - n);
}

/* The text between two quotes; no word of ours needs an escape. */
static void take_word(struct eye *e, char *ret, size_t room)
{
    size_t n = 0;
    take(e, '"');
    while (!e->failed && e->at < e->end && *e->at != '"' && *e->at != 0 && n + 1 < room)
        ret[n++] = *e->at++;
    ret[n] = 0;
    take(e, '"');
}

static void take_digest(struct eye *e, struct digest *ret)
{
    char text[DIGEST_CHARS + 1];
    uint32_t bits = 0, held = 0;
    size_t n = 0;
    take_word(e, text, sizeof text);
    for (size_t i = 0; i < DIGEST_CHARS && !e->failed; i++) {
        const char *c = text[i] ? strchr(base64url, text[i]) : NULL;
        if (!c) {
            e->failed = true;
            return;
        }
        bits = bits << 6 | (uint32_t)(c - base64url);
        held += 6;
        if (held >= 8) {
            held -= 8;
            ret->bytes[n++] = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1))
        e->failed = true; /* bits that no byte holds */
}

static void take_groups(struct eye *e, uint32_t groups[ATTEMPTS_MAX])
{
    uint32_t n = 0;
    take(e, '[');
    while (!e->failed && !sees(e, ']')) {
        if (n == ATTEMPTS_MAX || (n > 0 && !take(e, ','))) {
            e->failed = true;
            return;
        }
        int64_t g = take_i64(e);
        if (g < -1 || g >= (int64_t)WU_GROUP_UNUSABLE)
            e->failed = true;
        groups[n++] = g == -1 ? WU_GROUP_UNUSABLE : (uint32_t)g;
    }
    take(e, ']');
    if (n > 0 && groups[n - 1] == WU_GROUP_NONE)
        e->failed = true; /* trailing zeros are not written */
}

static enum attempt_error take_error(struct eye *e)
{
    char word[24];
    take_word(e, word, sizeof word);
    enum attempt_error error = attempt_error_from_name(word);
    if (error == ATTEMPT_ERROR_NONE || strcmp(word, attempt_error_name(error)) != 0)
        e->failed = true;
    return error;
}

static uint64_t take_number(struct eye *e, uint64_t max)
{
    take(e, ',');
    return take_u64(e, max);
}

static void take_attempt(struct eye *e, struct wu_event *ev)
{
    ev->attempt = (uint32_t)take_number(e, UINT32_MAX);
    ev->host_id = take_number(e, UINT64_MAX);
}

static void take_lease(struct eye *e, struct wu_event *ev)
{
    if (!sees(e, ','))
        return;
    e->at++;
    ev->lease_ms = take_i64(e);
    if (ev->lease_ms == 0)
        e->failed = true;
}

static void take_rest(struct eye *e, struct wu_event *ev)
{
    switch ((enum shape)shapes[ev->kind]) {
    case SHAPE_BARE:
        break;
    case SHAPE_LEASE:
        take_attempt(e, ev);
        ev->owner_id = take_number(e, UINT64_MAX);
        take_lease(e, ev);
        break;
    case SHAPE_RENEW:
        take_attempt(e, ev);
        take_lease(e, ev);
        break;
    case SHAPE_REPORT:
        take_attempt(e, ev);
        take(e, ',');
        take_digest(e, &ev->answer);
        break;
    case SHAPE_ERROR:
        take_attempt(e, ev);
        take(e, ',');
        ev->error = take_error(e);
        break;
    case SHAPE_JUDGED:
        take(e, ',');
        if (sees(e, '"'))
            ev->error = take_error(e);
        else
            take_groups(e, ev->groups);
        break;
    case SHAPE_COUNT:
        ev->count = (uint32_t)take_number(e, UINT32_MAX);
        break;
    case SHAPE_VOID:
        ev->attempt = (uint32_t)take_number(e, UINT32_MAX);
        break;
    case SHAPE_TAKE:
        take(e, ',');
        take_digest(e, &ev->answer);
        ev->source = take_number(e, UINT64_MAX);
        break;
    }
}

static enum wu_event_kind kind_of(const char *word)
{
    for (uint32_t k = 0; k < WU_EVENTS; k++)
        if (strcmp(word, wu_event_name((enum wu_event_kind)k)) == 0)
            return (enum wu_event_kind)k;
    return WU_EVENTS;
}

enum err wu_history_read(const char *line, size_t len, int64_t base_ms, struct wu_event *ret_ev)
{
    struct eye e = {.at = line, .end = line + len};
    struct wu_event ev = {0};
    char word[24];
    take(&e, '[');
    take_word(&e, word, sizeof word);
    ev.kind = e.failed ? WU_EVENTS : kind_of(word);
    if (ev.kind == WU_EVENTS)
        return err_set(ERR_CORRUPT, "the line of history does not begin with a known event");
    take(&e, ',');
    int64_t since_ms = take_i64(&e);
    if (__builtin_add_overflow(since_ms, base_ms, &ev.now_ms))
        e.failed = true;
    take_rest(&e, &ev);
    take(&e, ']');
    if (e.failed || e.at != e.end)
        return err_set(ERR_CORRUPT, "the line of history of a \"%s\" is malformed at byte %zu", word,
                       (size_t)(e.at - line));
    *ret_ev = ev;
    return ERR_OK;
}
