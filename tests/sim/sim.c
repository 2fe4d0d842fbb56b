/* sim.c - the world's clock and dice, and the story from the first submission to the last delivery. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sim_chaos(const struct sim *s)
{
    return s->now_ms < s->options.chaos_ms;
}

uint64_t sim_roll(struct sim *s, uint64_t n)
{
    return rand_seeded_below(&s->rand, n);
}

bool sim_mishap(struct sim *s, uint64_t once_in)
{
    return sim_chaos(s) && sim_roll(s, once_in) == 0;
}

void sim_trace(struct sim *s, uint64_t what)
{
    uint64_t x = (s->trace ^ what ^ (uint64_t)s->now_ms << 20) * 0x9e3779b97f4a7c15u;
    s->trace = x ^ x >> 29;
}

void sim_broken(const struct sim *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "seed %llu, day %.3f: ", (unsigned long long)s->options.seed,
            (double)s->now_ms / (double)DAY_MS);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}

const struct wu_rules *sim_rules(const struct sim *s, uint32_t unit)
{
    return &s->rules[unit % BATCHES];
}

struct digest truth_of(uint32_t unit, uint32_t variant)
{
    struct digest d = {{0x01, (uint8_t)variant}};
    memcpy(d.bytes + 2, &unit, sizeof unit);
    return d;
}

bool is_true(uint32_t unit, const struct digest *answer)
{
    struct digest d = truth_of(unit, answer->bytes[1]);
    return answer->bytes[1] < VARIANTS && digest_eq(&d, answer);
}

static void make_rules(struct sim *s)
{
    struct wu_rules two = {.quorum = 2,
                           .target_attempts = 2,
                           .errors_max = 6,
                           .attempts_max = 12,
                           .successes_max = 8,
                           .lease_ms = DAY_MS,
                           .compare = WU_COMPARE_DIGEST};
    for (uint32_t b = 0; b < BATCHES; b++)
        s->rules[b] = two;
    s->rules[1].compare = WU_COMPARE_JUDGE;
    s->rules[2].quorum = 3;
    s->rules[2].target_attempts = 4;
    s->rules[3].quorum = s->rules[3].target_attempts = 1;
}

static void *room(size_t count, size_t each)
{
    void *p = calloc(count, each);
    if (!p)
        abort();
    return p;
}

static void begin(struct sim *s, const struct options *o)
{
    memset(s, 0, sizeof *s);
    s->options = *o;
    rand_seed(&s->rand, o->seed);
    make_rules(s);
    s->hosts = room(o->hosts, sizeof *s->hosts);
    s->books = room(o->units, sizeof *s->books);
    s->ready = room(o->units, sizeof *s->ready);
    s->is_ready = room(o->units, sizeof *s->is_ready);
    s->leases = room((size_t)o->hosts * LEASE_ROWS, sizeof *s->leases);
    store_start(s);
    server_start(s);
    for (uint32_t h = 0; h < o->hosts; h++)
        host_start(s, h);
    agenda_add(&s->agenda, (struct event){.at_ms = 0, .kind = HAPPENS_SUBMIT});
    agenda_add(&s->agenda, (struct event){.at_ms = 1, .kind = HAPPENS_WORK});
    agenda_add(&s->agenda, (struct event){.at_ms = HOUR_MS, .kind = HAPPENS_PERSON});
}

static void again_in(struct sim *s, enum happening kind, int64_t in_ms)
{
    agenda_add(&s->agenda, (struct event){.at_ms = s->now_ms + in_ms, .kind = kind});
}

static void happen(struct sim *s, const struct event *e)
{
    switch (e->kind) {
    case HAPPENS_HOST_WAKES:
        host_wake(s, e->who);
        break;
    case HAPPENS_HOST_TIMES_OUT:
        host_time_out(s, e->who, e->number);
        break;
    case HAPPENS_REQUEST:
        server_request(s, e->message);
        break;
    case HAPPENS_REPLY:
        host_hear(s, e->message);
        break;
    case HAPPENS_TIMER:
        server_timer(s, e->who);
        break;
    case HAPPENS_WORK:
        server_work(s);
        again_in(s, HAPPENS_WORK, s->store.outbox_count > 0 ? 200 : 30000);
        break;
    case HAPPENS_SUBMIT:
        server_submit(s);
        if (s->submitted < s->options.units)
            again_in(s, HAPPENS_SUBMIT, 30 * MINUTE_MS);
        break;
    case HAPPENS_PERSON:
        server_person(s);
        if (sim_chaos(s))
            again_in(s, HAPPENS_PERSON, 5 * MINUTE_MS);
        break;
    case HAPPENS_RESTART:
        server_start(s);
        break;
    }
}

static bool at_rest(const struct sim *s)
{
    for (uint32_t u = 0; u < s->options.units; u++)
        if (s->store.units[u].wake_at_ms != INT64_MAX)
            return false;
    for (uint32_t h = 0; h < s->options.hosts; h++)
        if (!s->hosts[h].gone && s->hosts[h].task_count > 0)
            return false;
    return s->store.outbox_count == 0;
}

void sim_run(struct sim *s, const struct options *o)
{
    struct event e;
    int64_t look_ms = o->chaos_ms;
    begin(s, o);
    while (agenda_next(&s->agenda, &e)) {
        s->now_ms = e.at_ms;
        happen(s, &e);
        free(e.message);
        if (s->now_ms < look_ms)
            continue;
        look_ms = s->now_ms + HOUR_MS;
        if (s->delivered == o->units && at_rest(s))
            break;
        if (s->now_ms > o->chaos_ms + o->bound_ms)
            sim_broken(s, "%u of %u units are delivered %.1f days after the chaos", s->delivered, o->units,
                       (double)o->bound_ms / (double)DAY_MS);
    }
    check_end(s);
}

void sim_done(struct sim *s)
{
    agenda_done(&s->agenda);
    store_done(s);
    free(s->hosts);
    free(s->books);
    free(s->ready);
    free(s->is_ready);
    free(s->leases);
}
