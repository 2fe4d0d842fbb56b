#include "server/flight.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/try.h"

enum err flight_write(const struct flight *f, struct buf *out)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct flight_run *r = &f->runs[i];
        TRY(buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu32 " %s\n", r->first, r->last,
                       r->until_ms, r->times, r->member));
    }
    return ERR_OK;
}

static bool read_line(const char *line, struct flight_run *ret)
{
    int end = 0;
    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNu32 " %64[^\n]%n", &ret->first, &ret->last,
               &ret->until_ms, &ret->times, ret->member, &end) != 5)
        return false;
    return line[end] == '\0' && ret->first > 0 && ret->first <= ret->last;
}

enum err flight_read(const char *text, size_t len, struct flight *ret)
{
    const char *at = text, *end = text + len;
    uint64_t before = 0;
    ret->count = 0;
    while (at < end) {
        char line[200];
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct flight_run *r = &ret->runs[ret->count];
        if (!newline || newline - at >= (int)sizeof line || ret->count == STREAM_LEASES_MAX)
            return err_set(ERR_CORRUPT, "the stored state of a cursor cannot be read");
        memcpy(line, at, (size_t)(newline - at));
        line[newline - at] = '\0';
        if (!read_line(line, r) || r->first <= before)
            return err_set(ERR_CORRUPT, "the stored state of a cursor cannot be read");
        before = r->last;
        ret->count++;
        at = newline + 1;
    }
    return ERR_OK;
}

uint64_t flight_records(const struct flight *f)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < f->count; i++)
        n += f->runs[i].last - f->runs[i].first + 1;
    return n;
}

uint64_t flight_acked(const struct flight *f, uint64_t handed)
{
    return f->count > 0 ? f->runs[0].first - 1 : handed;
}

const struct flight_run *flight_before(const struct flight *f, uint64_t first)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->runs[i].last + 1 == first)
            return &f->runs[i];
    return NULL;
}

int64_t flight_next_ms(const struct flight *f, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->runs[i].until_ms > now_ms && f->runs[i].until_ms < next)
            next = f->runs[i].until_ms;
    return next;
}

static enum err check_room(const struct flight *f)
{
    if (f->count < STREAM_LEASES_MAX)
        return ERR_OK;
    return err_set(ERR_FULL,
                   "the cursor has %d runs of records that are not acknowledged: acknowledge some first",
                   STREAM_LEASES_MAX);
}

static void insert(struct flight *f, uint32_t at, const struct flight_run *run)
{
    memmove(&f->runs[at + 1], &f->runs[at], (f->count - at) * sizeof *f->runs);
    f->runs[at] = *run;
    f->count++;
}

static void take_out(struct flight *f, uint32_t at)
{
    memmove(&f->runs[at], &f->runs[at + 1], (f->count - at - 1) * sizeof *f->runs);
    f->count--;
}

enum err flight_add(struct flight *f, const struct flight_run *run)
{
    TRY(check_room(f));
    insert(f, f->count, run);
    return ERR_OK;
}

enum err flight_again(struct flight *f, struct flight_run *run, uint64_t last, const char *member,
                      int64_t until_ms)
{
    uint32_t at = (uint32_t)(run - f->runs);
    if (last < run->last) {
        struct flight_run rest = *run;
        TRY(check_room(f));
        rest.first = last + 1;
        run->last = last;
        insert(f, at + 1, &rest);
    }
    run->times++;
    run->until_ms = until_ms;
    snprintf(run->member, sizeof run->member, "%s", member);
    return ERR_OK;
}

/* One run; *at moves on to the next. */
static enum err ack_run(struct flight *f, uint32_t *at, uint64_t from, uint64_t to, uint64_t *ret_count)
{
    struct flight_run *r = &f->runs[*at];
    from = from > r->first ? from : r->first;
    to = to < r->last ? to : r->last;
    if (from > r->first && to < r->last) {
        struct flight_run rest = *r;
        TRY(check_room(f));
        rest.first = to + 1;
        r->last = from - 1;
        insert(f, ++*at, &rest);
    } else if (from > r->first) {
        r->last = from - 1;
    } else if (to < r->last) {
        r->first = to + 1;
    } else {
        take_out(f, *at);
        *ret_count += to - from + 1;
        return ERR_OK;
    }
    *ret_count += to - from + 1;
    ++*at;
    return ERR_OK;
}

enum err flight_ack(struct flight *f, const char *member, uint64_t from, uint64_t to, uint64_t *ret_count)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < f->count && f->runs[i].first <= to;) {
        if (f->runs[i].last < from || (member && strcmp(f->runs[i].member, member) != 0))
            i++;
        else
            TRY(ack_run(f, &i, from, to, &count)); /* only the first can fail: with a run that holds all */
    }
    *ret_count = count;
    return ERR_OK;
}

static bool are_one(const struct flight_run *a, const struct flight_run *b)
{
    return a->last + 1 == b->first && a->until_ms == b->until_ms && a->times == b->times &&
           strcmp(a->member, b->member) == 0;
}

/* Neighbours that were given back together are handed out together: they may be of one group. */
static void join(struct flight *f, uint32_t at)
{
    if (at + 1 < f->count && are_one(&f->runs[at], &f->runs[at + 1])) {
        f->runs[at].last = f->runs[at + 1].last;
        take_out(f, at + 1);
    }
    if (at > 0 && are_one(&f->runs[at - 1], &f->runs[at])) {
        f->runs[at - 1].last = f->runs[at].last;
        take_out(f, at);
    }
}

enum err flight_back(struct flight *f, uint64_t seq, int64_t until_ms)
{
    uint32_t i = 0;
    uint64_t count;
    while (i < f->count && f->runs[i].last < seq)
        i++;
    if (i == f->count || f->runs[i].first > seq)
        return ERR_OK;
    struct flight_run one = {
        .first = seq, .last = seq, .until_ms = until_ms, .times = f->runs[i].times, .member = "-"};
    if (f->count + 2 > STREAM_LEASES_MAX)
        return err_set(ERR_FULL, "the cursor has %d runs of records that are not acknowledged", f->count);
    uint32_t at = seq > f->runs[i].first ? i + 1 : i;
    TRY(flight_ack(f, NULL, seq, seq, &count));
    insert(f, at, &one);
    join(f, at);
    return ERR_OK;
}

void flight_renew(struct flight *f, const char *member, uint64_t first, uint64_t last, int64_t until_ms)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->runs[i].first <= last && f->runs[i].last >= first && strcmp(f->runs[i].member, member) == 0)
            f->runs[i].until_ms = until_ms;
}
