/* alerts.c - see alerts.h */
#include "server/alerts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/alert_text.h"
#include "server/fetch.h"
#include "server/mail.h"
#include "server/ticker.h"
#include "server/try.h"

enum {
    LOOK_MS_MIN = 250,
    LOOK_MS_MAX = 10000,
    HOOK_TIMEOUT_MS = 10000,
    RETRY_MS = 5000,
    RETRY_MS_MAX = 600000,
    BACKLOG_MARKS = 64,
    BACKLOG_PAGE = 500,
    DAY_MS = 86400000,
};

struct channel { /* a way to people */
    int64_t next_ms;
    uint32_t tries;
};

/* At at_ms, everything up to id was there already: so old at least is what is still there of it. */
struct mark {
    int64_t at_ms;
    uint64_t id;
};
struct backlog {
    uint32_t count;
    struct mark marks[BACKLOG_MARKS]; /* oldest first, ids ascending */
};

struct alerts {
    struct alerts_config config;
    struct alert_limits limits;
    struct alert_policy policy;
    char path[4096];
    struct ticker *ticker;
    pthread_mutex_t lock; /* over book */
    struct alert_book book;
    struct channel mail, hook, report;
    int64_t beat_next_ms;
    int64_t started_ms; /* by the monotonic clock */
    struct backlog judge, hooks;
};

/* --- looking --- */

static int64_t age(const struct backlog *b, uint64_t oldest, int64_t now_ms)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (b->marks[i].id >= oldest)
            return now_ms > b->marks[i].at_ms ? now_ms - b->marks[i].at_ms : 0;
    return 0;
}

/* Marks as far apart as lets them span twice the limit; what is older than the oldest row says nothing more.
 */
static void mark(struct backlog *b, uint64_t oldest, uint64_t newest, int64_t limit_ms, int64_t now_ms)
{
    uint32_t gone = 0;
    while (gone < b->count && (b->marks[gone].id < oldest || b->marks[gone].at_ms > now_ms))
        gone++;
    memmove(b->marks, b->marks + gone, (b->count - gone) * sizeof *b->marks);
    b->count -= gone;
    const struct mark *last = b->count ? &b->marks[b->count - 1] : NULL;
    if (last && (newest <= last->id || now_ms - last->at_ms < limit_ms / (BACKLOG_MARKS / 2)))
        return;
    if (b->count == BACKLOG_MARKS)
        memmove(b->marks + 1, b->marks + 2, (--b->count - 1) * sizeof *b->marks);
    b->marks[b->count++] = (struct mark){now_ms, newest};
}

static enum err look_at_backlog(struct alerts *a, enum outbox_kind kind, struct backlog *b, int64_t now_ms,
                                int64_t *ret_ms)
{
    ARENA_AUTO struct arena arena = {0};
    struct store_outbox *list;
    uint32_t count;
    TRY(store_outbox_list(a->config.store, &arena, kind, INT64_MAX, 0, BACKLOG_PAGE, &list, &count));
    if (count == 0) {
        b->count = 0;
        return ERR_OK;
    }
    mark(b, list[0].id, list[count - 1].id, a->limits.backlog_ms, now_ms);
    int64_t waits_ms = age(b, list[0].id, now_ms);
    *ret_ms = waits_ms > *ret_ms ? waits_ms : *ret_ms;
    return ERR_OK;
}

static void look(struct alerts *a, struct alert_sample *ret, struct pulse_view *ret_view)
{
    struct pulse_view v;
    pulse_view(a->config.pulse, &v);
    *ret = (struct alert_sample){.now_ms = clock_wall_ms(),
                                 .hosts_hour = v.hosts_hour,
                                 .hosts_day = v.hosts_day,
                                 .errors_hour = v.errors_hour,
                                 .ended_hour = v.ended_hour,
                                 .silence_ms = v.silence_ms,
                                 .disk_free = v.disk_free,
                                 .disk_all = v.disk_all,
                                 .certificate_ends_ms = atomic_load(a->config.certificate_ends_ms),
                                 .root_ends_ms = a->config.root_ends_ms,
                                 .ready = v.ready,
                                 .load = v.load,
                                 .stopped = *v.stopped};
    int64_t up_ms = clock_mono_ms() - a->started_ms; /* while no server ran, silence was no news */
    if (!a->book.states[ALERT_SILENCE].told && ret->silence_ms > up_ms)
        ret->silence_ms = up_ms;
    *ret_view = v;
    if (a->limits.backlog_ms > 0 &&
        (look_at_backlog(a, OUTBOX_JUDGE, &a->judge, ret->now_ms, &ret->backlog_ms) != ERR_OK ||
         look_at_backlog(a, OUTBOX_WEBHOOK, &a->hooks, ret->now_ms, &ret->backlog_ms) != ERR_OK))
        log_event(LOG_WARN, "alert-blind", "err", err_text(), NULL);
}

/* --- deciding --- */

static bool step(struct alerts *a, enum alert_kind kind, const struct alert_sample *sample,
                 const char *reason)
{
    struct alert_book *b = &a->book;
    struct alert_note note = {.at_ms = sample->now_ms};
    bool wrong = alert_is_wrong(kind, &a->limits, sample, b->states[kind].told);
    note.notice = alert_step(&b->states[kind], &a->policy, wrong, sample->now_ms);
    if (note.notice == ALERT_NOTHING)
        return false;
    alert_describe(kind, sample, reason, &note);
    if (note.notice == ALERT_ENDS) /* what was wrong, not how it is now */
        snprintf(note.what, sizeof note.what, "%s", b->what[kind]);
    snprintf(b->what[kind], sizeof b->what[kind], "%s", note.notice == ALERT_ENDS ? "" : note.what);
    note.mail = mail_is_set(a->config.settings);
    note.hook = a->config.settings->alert_webhook[0] != 0;
    log_event(note.notice == ALERT_ENDS ? LOG_INFO : LOG_ERROR, "alert", "kind", alert_kind_name(kind),
              "notice", alert_notice_name(note.notice), "what", note.what, NULL);
    if (note.mail || note.hook)
        alert_book_add(b, &note);
    return true;
}

static void save(struct alerts *a)
{
    if (alert_book_save(a->path, &a->book) != ERR_OK)
        log_event(LOG_ERROR, "alert-save-failed", "err", err_text(), NULL);
}

/* --- telling --- */

static bool may_try(const struct channel *c, int64_t now_ms)
{
    return now_ms >= c->next_ms || c->next_ms - now_ms > RETRY_MS_MAX; /* or the clock was set back */
}

static bool settle(struct channel *c, enum err e, const char *way, int64_t now_ms)
{
    if (e == ERR_OK) {
        *c = (struct channel){0};
        return true;
    }
    int64_t most_ms = c->tries < 10 ? (int64_t)RETRY_MS << c->tries : RETRY_MS_MAX;
    most_ms = most_ms < RETRY_MS_MAX ? most_ms : RETRY_MS_MAX;
    c->tries++;
    c->next_ms = now_ms + 1 + (int64_t)(rand_u64() % (uint64_t)most_ms);
    log_event(LOG_WARN, "alert-not-sent", "way", way, "err", err_text(), NULL);
    return false;
}

static enum err send_mail(const struct settings *s, const struct alert_note *notes, uint32_t count)
{
    BUF_AUTO struct buf subject = {0}, text = {0};
    TRY(alert_mail_text(s, notes, count, &subject, &text));
    struct mail mail = {.to = s->mail_to, .subject = buf_text(&subject), .text = buf_text(&text)};
    return mail_send(s, &mail);
}

static enum err ask(const char *method, const char *url, const struct settings *s, const struct buf *body)
{
    struct fetch_request request = {.method = method,
                                    .url = url,
                                    .headers = {body ? "Content-Type: application/json" : NULL},
                                    .body = body ? body->data : NULL,
                                    .body_bytes = body ? body->len : 0,
                                    .reply_bytes_max = 65536,
                                    .timeout_ms = HOOK_TIMEOUT_MS,
                                    .ca_file = s->mail_ca[0] ? s->mail_ca : NULL};
    struct fetch_reply reply = {0};
    enum err e = fetch_http(&request, &reply);
    int status = reply.status;
    fetch_reply_done(&reply);
    if (e != ERR_OK && e != ERR_LIMIT) /* a long answer is an answer */
        return e;
    return status >= 200 && status < 300 ? ERR_OK : err_set(ERR_UNREACHABLE, "it answered %d", status);
}

static enum err send_hook(const struct settings *s, const struct alert_note *notes, uint32_t count)
{
    BUF_AUTO struct buf body = {0};
    TRY(alert_hook_text(s, notes, count, &body));
    return ask("POST", s->alert_webhook, s, &body);
}

/* The notes that a way still owes, in a list; how many. */
static uint32_t owed(const struct alert_book *b, bool by_mail, struct alert_note *ret)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->count; i++)
        if (by_mail ? b->notes[i].mail : b->notes[i].hook)
            ret[count++] = b->notes[i];
    return count;
}

/* Only this thread changes the book; its readers wait no longer than a change takes. */
static void tell(struct alerts *a, bool by_mail, struct channel *c, int64_t now_ms)
{
    struct alert_note notes[ALERT_NOTES_MAX];
    const struct settings *s = a->config.settings;
    uint32_t count = owed(&a->book, by_mail, notes);
    if (count == 0 || !may_try(c, now_ms))
        return;
    enum err e = by_mail ? send_mail(s, notes, count) : send_hook(s, notes, count);
    if (!settle(c, e, by_mail ? "mail" : "web hook", now_ms))
        return;
    pthread_mutex_lock(&a->lock);
    for (uint32_t i = 0; i < a->book.count; i++)
        *(by_mail ? &a->book.notes[i].mail : &a->book.notes[i].hook) = false;
    alert_book_tidy(&a->book);
    pthread_mutex_unlock(&a->lock);
    save(a);
}

/* --- the report --- */

/* Midnight of the day that holds at_ms, by this machine's time, and what the day is called. */
static int64_t midnight(int64_t at_ms, char day[ALERT_DAY_BYTES], int *ret_hour)
{
    struct tm t = {0};
    time_t s = (time_t)(at_ms / 1000);
    localtime_r(&s, &t);
    *ret_hour = t.tm_hour;
    strftime(day, ALERT_DAY_BYTES, "%Y-%m-%d", &t);
    t.tm_hour = t.tm_min = t.tm_sec = 0;
    t.tm_isdst = -1;
    return (int64_t)mktime(&t) * 1000;
}

static enum err send_report(struct alerts *a, const char *day, int64_t from_ms)
{
    BUF_AUTO struct buf subject = {0}, text = {0}, plot = {0};
    const struct settings *s = a->config.settings;
    struct pulse_day d;
    pulse_day(a->config.pulse, from_ms, &d);
    TRY(report_text(s, day, &d, &a->book, &subject, &text));
    TRY(report_plot(day, &d, &plot));
    struct mail mail = {.to = s->mail_to,
                        .subject = buf_text(&subject),
                        .text = buf_text(&text),
                        .picture_name = "day.svg",
                        .picture = &plot};
    return mail_send(s, &mail);
}

static void report(struct alerts *a, int64_t now_ms)
{
    char today[ALERT_DAY_BYTES], day[ALERT_DAY_BYTES];
    int hour, unused;
    const struct settings *s = a->config.settings;
    if (!mail_is_set(s) || s->report_hour < 0)
        return;
    int64_t from_ms = midnight(midnight(now_ms, today, &hour) - DAY_MS / 2, day, &unused);
    if (!a->book.reported[0]) { /* the project is new, or mail is: there is no yesterday to tell of */
        snprintf(a->book.reported, sizeof a->book.reported, "%s", day);
        save(a);
    }
    if (hour < s->report_hour || strcmp(a->book.reported, day) >= 0 || !may_try(&a->report, now_ms))
        return;
    if (!settle(&a->report, send_report(a, day, from_ms), "report", now_ms))
        return;
    snprintf(a->book.reported, sizeof a->book.reported, "%s", day);
    save(a);
}

static void heartbeat(struct alerts *a, const struct alert_sample *sample)
{
    const struct settings *s = a->config.settings;
    int64_t now_ms = clock_mono_ms();
    if (!s->heartbeat_url[0] || !sample->ready || now_ms < a->beat_next_ms)
        return;
    a->beat_next_ms = now_ms + s->heartbeat_ms;
    if (ask("GET", s->heartbeat_url, s, NULL) != ERR_OK)
        log_event(LOG_WARN, "heartbeat-failed", "err", err_text(), NULL);
}

/* Of several servers one tells what is wrong with the project; each tells what is wrong with its machine. */
static bool is_own(const struct alerts *a, enum alert_kind kind)
{
    return kind == ALERT_DISK || kind == ALERT_READY || members_have(a->config.members, DUTY_ALERTS);
}

static void beat(void *ctx)
{
    struct alerts *a = ctx;
    struct alert_sample sample;
    struct pulse_view view;
    bool changed = false;
    look(a, &sample, &view);
    pthread_mutex_lock(&a->lock);
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        if (is_own(a, (enum alert_kind)kind))
            changed |= step(a, (enum alert_kind)kind, &sample,
                            kind == ALERT_LOAD      ? view.busy
                            : kind == ALERT_ROLLOUT ? view.stopped
                                                    : view.reason);
    pthread_mutex_unlock(&a->lock);
    if (changed)
        save(a);
    tell(a, true, &a->mail, sample.now_ms);
    tell(a, false, &a->hook, sample.now_ms);
    if (members_have(a->config.members, DUTY_ALERTS))
        report(a, sample.now_ms);
    heartbeat(a, &sample);
}

/* --- starting and stopping --- */

static void set_up(struct alerts *a)
{
    const struct settings *s = a->config.settings;
    a->limits = (struct alert_limits){.hosts_gone = s->alert_hosts,
                                      .errors = s->alert_errors,
                                      .backlog_ms = s->alert_backlog_ms,
                                      .silence_ms = s->alert_silence_ms,
                                      .disk_bytes = s->alert_disk,
                                      .ends_ms = s->alert_ends_ms,
                                      .load = s->load_max > 0 ? ADMIT_AMBER : 0};
    a->policy = (struct alert_policy){.wait_ms = s->alert_wait_ms, .repeat_ms = s->alert_repeat_ms};
}

enum err alerts_start(const struct alerts_config *config, struct alerts **ret_alerts)
{
    struct alerts *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(ERR_NOMEM, "no memory for alerts");
    a->config = *config;
    a->started_ms = clock_mono_ms();
    set_up(a);
    pthread_mutex_init(&a->lock, NULL);
    enum err e = file_join(a->path, sizeof a->path, config->data, "alerts.json");
    if (e == ERR_OK && alert_book_load(a->path, &a->book) != ERR_OK) /* watching goes on without its past */
        log_event(LOG_ERROR, "alert-book", "err", err_text(), NULL);
    int64_t every_ms = a->policy.wait_ms / 4;
    every_ms = every_ms < LOOK_MS_MIN ? LOOK_MS_MIN : every_ms > LOOK_MS_MAX ? LOOK_MS_MAX : every_ms;
    if (e == ERR_OK)
        e = ticker_start(beat, a, every_ms, &a->ticker);
    if (e != ERR_OK) {
        alerts_stop(a);
        return e;
    }
    *ret_alerts = a;
    return ERR_OK;
}

void alerts_stop(struct alerts *a)
{
    if (!a)
        return;
    ticker_stop(a->ticker);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void alerts_write(struct alerts *a, struct json_out *o)
{
    pthread_mutex_lock(&a->lock);
    for (int kind = 0; kind < ALERT_KINDS; kind++) {
        const struct alert_state *s = &a->book.states[kind];
        if (!s->told)
            continue;
        json_out_object(o, NULL);
        json_out_string(o, "level", "error");
        json_out_string(o, "kind", alert_kind_name((enum alert_kind)kind));
        json_out_i64(o, "told_ms", s->told_ms);
        json_out_string(o, "what", a->book.what[kind]);
        json_out_close(o);
    }
    pthread_mutex_unlock(&a->lock);
}

static enum err test_way(const char *way, const char *where, enum err e, struct buf *out)
{
    char why[ERR_TEXT_BYTES_MAX];
    snprintf(why, sizeof why, "%s", e == ERR_OK ? "sent" : err_text());
    TRY(buf_printf(out, "%-9s %s: %s\n", way, where, why));
    return e == ERR_OK ? e : err_set(e, "%s %s: %s", way, where, why);
}

enum err alerts_test(const struct settings *s, struct buf *out)
{
    struct alert_note note = {.kind = ALERT_READY,
                              .notice = ALERT_ENDS,
                              .at_ms = clock_wall_ms(),
                              .what = "this is a test: alerts arrive here"};
    enum err e = ERR_OK, one;
    if (!mail_is_set(s) && !s->alert_webhook[0] && !s->heartbeat_url[0])
        return err_set(
            ERR_INVALID,
            "nobody is told of anything: set mail_server, alert_webhook or heartbeat_url in server.conf");
    if (mail_is_set(s) && (one = test_way("mail", s->mail_to, send_mail(s, &note, 1), out)) != ERR_OK)
        e = one;
    if (s->alert_webhook[0] &&
        (one = test_way("web hook", "alert_webhook", send_hook(s, &note, 1), out)) != ERR_OK)
        e = one;
    if (s->heartbeat_url[0] &&
        (one = test_way("heartbeat", "heartbeat_url", ask("GET", s->heartbeat_url, s, NULL), out)) != ERR_OK)
        e = one;
    return e;
}
