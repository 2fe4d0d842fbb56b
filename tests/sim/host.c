/* host.c - machines of strangers, and the network between them and the server. */
#include <stdlib.h>
#include <string.h>

#include "rules/backoff.h"
#include "sim.h"

#define REQUEST_TIMEOUT_MS (2 * MINUTE_MS)

static void wake_at(struct sim *s, uint32_t h, int64_t at_ms)
{
    agenda_add(&s->agenda, (struct event){.at_ms = at_ms, .kind = HAPPENS_HOST_WAKES, .who = h});
}

void host_start(struct sim *s, uint32_t h)
{
    static const uint8_t share[TEMPERS] = {62, 8, 12, 8, 6, 4}; /* of a hundred */
    struct host *host = &s->hosts[h];
    uint64_t dice = sim_roll(s, 100);
    for (uint32_t t = 0; t < TEMPERS; dice -= share[t], t++)
        if (dice < share[t]) {
            host->temper = (enum temper)t;
            break;
        }
    host->owner_id = 1 + sim_roll(s, s->options.hosts / 2 + 1);
    wake_at(s, h, (int64_t)sim_roll(s, 12 * HOUR_MS));
}

static int64_t run_time(struct sim *s, const struct host *host)
{
    int64_t ms = HOUR_MS + (int64_t)sim_roll(s, 4 * HOUR_MS);
    return host->temper == TEMPER_SLOW && sim_chaos(s) ? ms * 8 : ms;
}

static struct digest lie(struct sim *s, uint8_t mark)
{
    struct digest d = {{mark}};
    for (size_t i = 1; i < 9; i++)
        d.bytes[i] = (uint8_t)sim_roll(s, 256);
    return d;
}

static struct digest shared_lie(uint32_t unit)
{
    struct digest d = {{0xcc}};
    memcpy(d.bytes + 1, &unit, sizeof unit);
    return d;
}

static bool is_judged(const struct sim *s, uint32_t unit)
{
    return sim_rules(s, unit)->compare == WU_COMPARE_JUDGE;
}

static struct said outcome(struct sim *s, const struct host *host, const struct task *t)
{
    struct said said = {.unit = t->unit, .attempt = t->attempt};
    said.answer = truth_of(t->unit, is_judged(s, t->unit) ? (uint32_t)sim_roll(s, VARIANTS) : 0);
    if (host->temper == TEMPER_LYING)
        said.answer = lie(s, 0xbb);
    if (host->temper == TEMPER_COLLUDING)
        said.answer = shared_lie(t->unit);
    if (host->temper != TEMPER_FLAKY || !sim_chaos(s))
        return said;
    switch (sim_roll(s, 6)) {
    case 0:
        said.error = (enum attempt_error)(1 + sim_roll(s, ATTEMPT_ERRORS - 1));
        said.answer = (struct digest){{0}};
        break;
    case 1:
        said.answer = lie(s, 0xaa);
        break;
    case 2:
        said.answer = lie(s, 0xee); /* not even readable */
        break;
    default:
        break;
    }
    return said;
}

static void finish_tasks(struct sim *s, uint32_t h)
{
    struct host *host = &s->hosts[h];
    for (uint32_t i = 0; i < host->task_count; i++) {
        struct task *t = &host->tasks[i];
        if (t->done || t->done_ms > s->now_ms)
            continue;
        t->done = true;
        t->result = outcome(s, host, t);
    }
}

static struct request *compose(struct sim *s, uint32_t h)
{
    struct host *host = &s->hosts[h];
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->host = h;
    r->number = ++host->request;
    for (uint32_t i = 0; i < host->task_count; i++) {
        const struct task *t = &host->tasks[i];
        r->held[r->held_count].unit = t->unit;
        r->held[r->held_count++].attempt = t->attempt;
        if (t->done) {
            r->reports[r->report_count++] = t->result;
            check_said(s, h, &t->result);
        }
    }
    r->want = TASKS_MAX - host->task_count;
    return r;
}

static void send(struct sim *s, struct request *r)
{
    uint32_t copies = sim_mishap(s, 20) ? 0 : sim_mishap(s, 30) ? 2 : 1;
    s->count.lost += copies == 0;
    s->count.duplicated += copies == 2;
    for (uint32_t i = 0; i < copies; i++) {
        struct request *copy = malloc(sizeof *copy);
        if (!copy)
            abort();
        *copy = *r;
        int64_t delay_ms = 20 + (int64_t)sim_roll(s, 1000);
        if (sim_mishap(s, 40))
            delay_ms += (int64_t)sim_roll(s, DAY_MS); /* far too late, when much else has happened */
        agenda_add(&s->agenda,
                   (struct event){.at_ms = s->now_ms + delay_ms, .kind = HAPPENS_REQUEST, .message = copy});
    }
    free(r);
}

/* The end of a disk: nothing is remembered, not even what was on the way. */
static void forget_all(struct host *host)
{
    host->task_count = 0;
    host->asking = false;
    host->request++;
}

static bool misbehave(struct sim *s, uint32_t h)
{
    struct host *host = &s->hosts[h];
    if (host->temper == TEMPER_VANISHING && sim_mishap(s, 12)) {
        if (sim_roll(s, 2))
            host->gone = true;
        else
            wake_at(s, h, s->now_ms + (int64_t)sim_roll(s, 3 * DAY_MS));
        forget_all(host);
        return true;
    }
    if (host->temper == TEMPER_FLAKY && sim_mishap(s, 20))
        forget_all(host);
    return false;
}

void host_wake(struct sim *s, uint32_t h)
{
    struct host *host = &s->hosts[h];
    if (host->gone || host->asking || misbehave(s, h))
        return;
    finish_tasks(s, h);
    host->asking = true;
    send(s, compose(s, h));
    agenda_add(&s->agenda, (struct event){.at_ms = s->now_ms + REQUEST_TIMEOUT_MS,
                                          .kind = HAPPENS_HOST_TIMES_OUT,
                                          .who = h,
                                          .number = host->request});
}

void host_time_out(struct sim *s, uint32_t h, uint64_t request)
{
    struct host *host = &s->hosts[h];
    struct backoff_rules rules = BACKOFF_CLIENT;
    if (!host->asking || host->request != request)
        return;
    host->asking = false;
    wake_at(s, h, s->now_ms + 1 + backoff_wait_ms(&rules, host->failures++, 0, rand_seeded_u64(&s->rand)));
}

static uint32_t find(const struct host *host, uint32_t unit, uint32_t attempt)
{
    uint32_t i = 0;
    while (i < host->task_count && (host->tasks[i].unit != unit || host->tasks[i].attempt != attempt))
        i++;
    return i;
}

static void drop(struct host *host, uint32_t unit, uint32_t attempt)
{
    uint32_t i = find(host, unit, attempt);
    if (i < host->task_count)
        host->tasks[i] = host->tasks[--host->task_count];
}

void host_hear(struct sim *s, const struct reply *r)
{
    struct host *host = &s->hosts[r->host];
    if (host->gone || !host->asking || host->request != r->number)
        return; /* an answer to a request nobody waits for any more */
    host->asking = false;
    host->failures = 0;
    for (uint32_t i = 0; i < r->ack_count; i++)
        drop(host, r->acks[i].unit, r->acks[i].attempt);
    for (uint32_t i = 0; i < r->recall_count; i++)
        drop(host, r->recalls[i].unit, r->recalls[i].attempt);
    for (uint32_t i = 0; i < r->lease_count; i++) {
        if (find(host, r->leases[i].unit, r->leases[i].attempt) < host->task_count ||
            host->task_count == TASKS_MAX)
            continue;
        host->tasks[host->task_count++] = (struct task){.unit = r->leases[i].unit,
                                                        .attempt = r->leases[i].attempt,
                                                        .done_ms = s->now_ms + run_time(s, host)};
    }
    int64_t next_ms = s->now_ms + HOUR_MS + (int64_t)sim_roll(s, 3 * HOUR_MS);
    for (uint32_t i = 0; i < host->task_count; i++)
        if (host->tasks[i].done_ms < next_ms)
            next_ms = host->tasks[i].done_ms > s->now_ms ? host->tasks[i].done_ms : s->now_ms + 1;
    wake_at(s, r->host, next_ms);
}
