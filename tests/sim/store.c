/* store.c - a database in miniature: what is staged is lost when the server is killed, what is committed is
 * not. */
#include <stdlib.h>
#include <string.h>

#include "rules/wu_codec.h"
#include "rules/wu_history.h"
#include "sim.h"

#define KILL_ONCE_IN 4000

void sim_kill_point(struct sim *s)
{
    if (!sim_mishap(s, KILL_ONCE_IN))
        return;
    s->count.kills++;
    sim_trace(s, 0xdead);
    store_abandon(s);
    s->server_up = false;
    agenda_add(&s->agenda, (struct event){.at_ms = s->now_ms + 1 + (int64_t)sim_roll(s, 10 * MINUTE_MS),
                                          .kind = HAPPENS_RESTART});
    longjmp(s->killed, 1);
}

void store_start(struct sim *s)
{
    s->store.units = calloc(s->options.units, sizeof *s->store.units);
    if (!s->store.units)
        abort();
}

void store_done(struct sim *s)
{
    for (uint32_t u = 0; u < s->options.units; u++) {
        free(s->store.units[u].life);
        free(s->store.units[u].history);
    }
    free(s->store.units);
    free(s->store.outbox);
}

void store_begin(struct sim *s)
{
    sim_kill_point(s);
    if (s->store.open)
        sim_broken(s, "a transaction was begun inside another");
    s->store.open = true;
}

bool store_peek(const struct sim *s, uint32_t unit, struct wu *ret)
{
    const struct unit_row *row = &s->store.units[unit];
    *ret = (struct wu){.id = wu_id_make(1 + unit % BATCHES, unit), .rules = *sim_rules(s, unit)};
    if (!row->life)
        return false;
    if (wu_decode(row->life, row->life_bytes, ret) != ERR_OK)
        sim_broken(s, "unit %u cannot be read back: %s", unit, err_text());
    return true;
}

static struct staged_unit *find(struct store *t, uint32_t unit)
{
    for (uint32_t i = 0; i < t->staged_count; i++)
        if (t->staged[i].unit == unit)
            return &t->staged[i];
    return NULL;
}

bool store_load(struct sim *s, uint32_t unit, struct wu *ret)
{
    sim_kill_point(s);
    const struct staged_unit *staged = find(&s->store, unit);
    if (!staged)
        return store_peek(s, unit, ret);
    *ret = staged->wu;
    return true;
}

void store_save(struct sim *s, uint32_t unit, const struct wu *wu, const struct wu_event *ev)
{
    struct store *t = &s->store;
    struct staged_unit *staged = find(t, unit);
    char line[WU_HISTORY_BYTES_MAX];
    sim_kill_point(s);
    if (!staged) {
        if (t->staged_count == CHANGED_MAX)
            sim_broken(s, "a transaction changes more than %d units", CHANGED_MAX);
        staged = &t->staged[t->staged_count++];
        staged->unit = unit;
        staged->lines_bytes = 0;
    }
    staged->wu = *wu;
    sim_kill_point(s); /* between the row and its history */
    size_t len = wu_history_write(ev, 0, line);
    if (staged->lines_bytes + len + 1 > sizeof staged->lines)
        sim_broken(s, "unit %u changes too often in one transaction", unit);
    memcpy(staged->lines + staged->lines_bytes, line, len);
    staged->lines_bytes += (uint32_t)len;
    staged->lines[staged->lines_bytes++] = '\n';
}

void store_owe(struct sim *s, struct outbox_row row)
{
    sim_kill_point(s);
    s->store.added[s->store.added_count++] = row;
}

void store_pay(struct sim *s, struct outbox_row row)
{
    sim_kill_point(s);
    s->store.paid[s->store.paid_count++] = row;
}

void store_take_first(struct sim *s)
{
    sim_kill_point(s);
    s->store.takes_first = true;
}

void store_abandon(struct sim *s)
{
    struct store *t = &s->store;
    t->staged_count = t->added_count = t->paid_count = 0;
    t->takes_first = t->open = false;
}

static void commit_unit(struct sim *s, const struct staged_unit *staged)
{
    struct unit_row *row = &s->store.units[staged->unit];
    uint8_t life[WU_BYTES_MAX];
    size_t len = wu_encode(&staged->wu, life);
    row->life = realloc(row->life, len);
    if (row->history_bytes + staged->lines_bytes > row->history_room) {
        row->history_room = 2 * (row->history_bytes + staged->lines_bytes);
        row->history = realloc(row->history, row->history_room);
    }
    if (!row->life || !row->history)
        abort();
    memcpy(row->life, life, len);
    row->life_bytes = (uint32_t)len;
    row->wake_at_ms = staged->wu.wake_at_ms;
    memcpy(row->history + row->history_bytes, staged->lines, staged->lines_bytes);
    row->history_bytes += staged->lines_bytes;
}

static void check_unit(struct sim *s, const struct staged_unit *staged)
{
    struct wu before;
    struct wu_event ev;
    const char *line = staged->lines;
    bool existed = store_peek(s, staged->unit, &before);
    for (const char *feed; (feed = memchr(line, '\n', (size_t)(staged->lines + staged->lines_bytes - line)));
         line = feed + 1)
        if (wu_history_read(line, (size_t)(feed - line), 0, &ev) != ERR_OK)
            sim_broken(s, "unit %u has a line of history that cannot be read: %s", staged->unit, err_text());
    check_commit(s, staged->unit, existed ? &before : NULL, &staged->wu, ev.kind);
}

void store_commit(struct sim *s)
{
    struct store *t = &s->store;
    sim_kill_point(s);
    for (uint32_t i = 0; i < t->staged_count; i++) {
        check_unit(s, &t->staged[i]);
        commit_unit(s, &t->staged[i]);
    }
    for (uint32_t i = 0; i < t->paid_count; i++)
        check_paid(s, &t->paid[i]);
    if (t->takes_first)
        memmove(t->outbox, t->outbox + 1, --t->outbox_count * sizeof *t->outbox);
    if (t->outbox_count + t->added_count > t->outbox_room) {
        t->outbox_room = 2 * (t->outbox_count + t->added_count);
        t->outbox = realloc(t->outbox, t->outbox_room * sizeof *t->outbox);
        if (!t->outbox)
            abort();
    }
    if (t->added_count > 0)
        memcpy(t->outbox + t->outbox_count, t->added, t->added_count * sizeof *t->added);
    t->outbox_count += t->added_count;
    store_abandon(s);
    sim_kill_point(s); /* after the commit, before anybody hears of it */
}
