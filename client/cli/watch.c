/* watch.c - see watch.h */
#include "client/cli/watch.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/pace.h"
#include "client/cli/show.h"

enum {
    POLL_FAST_MS = 1000,
    POLL_SLOW_MS = 5000,
    FAST_FOR_MS = 60000,
    FAILURES_EVERY_MS = 10000,
    FAILURES_SHOWN = 3,
    LINE_EVERY_MS = 10000,
    BAR_MAX = 40
};

struct watch {
    struct cli *cli;
    const char *batch;
    struct pace pace;
    struct buf failures; /* the last kinds, a line each */
    int64_t failures_ms, line_ms;
    uint32_t drawn; /* lines that the next picture is drawn over */
    bool tty;
};

static int64_t number(const struct json *obj, const char *key)
{
    return json_int(json_field(obj, key), 0);
}

/* --- what went wrong last --- */

static enum err add_failure(const struct json *f, struct buf *out)
{
    BUF_AUTO struct buf why = {0}, unit = {0}, count = {0};
    const char *pattern = json_text(json_field(f, "pattern")), *message = json_text(json_field(f, "message"));
    const char *said = pattern && *pattern ? pattern : message ? message : "";
    enum err e = show_value(json_field(f, "error"), SHOW_TEXT, &why);
    if (e == ERR_OK && json_field(f, "exit_code"))
        e = buf_printf(&why, " %lld", (long long)number(f, "exit_code"));
    if (e == ERR_OK)
        e = show_value(json_field(f, "unit"), SHOW_TEXT, &unit);
    if (e == ERR_OK)
        e = show_count((uint64_t)number(f, "count"), &count);
    if (e == ERR_OK)
        e = buf_printf(out, "%s times %s, as unit %s: ", buf_text(&count), buf_text(&why), buf_text(&unit));
    if (e == ERR_OK)
        e = show_safe(said, strlen(said), false, out);
    return e == ERR_OK ? buf_add_char(out, '\n') : e;
}

/* Those seen last come first; a list of few, so the newest is looked for again and again. */
static void look_at_failures(struct watch *w, int64_t now_ms)
{
    JSON_AUTO struct json_doc *doc = NULL;
    char path[96];
    int64_t before_ms = INT64_MAX;
    if (w->failures_ms && now_ms - w->failures_ms < FAILURES_EVERY_MS)
        return;
    w->failures_ms = now_ms;
    snprintf(path, sizeof path, "/v1/batches/%s/failures", w->batch);
    if (api_get(w->cli, path, &doc) != ERR_OK)
        return;
    const struct json *items = json_field(json_root(doc), "items");
    buf_clear(&w->failures);
    for (int n = 0; n < FAILURES_SHOWN; n++) {
        const struct json *newest = NULL;
        for (size_t i = 0; i < json_count(items); i++) {
            const struct json *f = json_at(items, i);
            int64_t at_ms = number(f, "last_ms");
            if (at_ms < before_ms && (!newest || at_ms > number(newest, "last_ms")))
                newest = f;
        }
        if (!newest || add_failure(newest, &w->failures) != ERR_OK)
            return;
        before_ms = number(newest, "last_ms");
    }
}

/* --- pictures --- */

/* In whole seconds: what is guessed is not known better. */
static const char *guess_text(int64_t ms, char *ret, size_t room)
{
    if (ms < 1000)
        return "less than a second";
    str_from_duration_ms(ms / 1000 * 1000, ret, room);
    return ret;
}

static enum err add_eta(const struct pace_guess *g, struct buf *out)
{
    char text[32];
    if (g->rate <= 0)
        return ERR_OK;
    enum err e = buf_printf(out, "%.3g/s, about %s to go", g->rate, guess_text(g->eta_ms, text, sizeof text));
    if (e == ERR_OK && g->has_bounds)
        e = buf_printf(out, " (%s or more", guess_text(g->soonest_ms, text, sizeof text));
    if (e == ERR_OK && g->has_bounds && g->latest_ms != INT64_MAX)
        e = buf_printf(out, ", %s at most", guess_text(g->latest_ms, text, sizeof text));
    return e == ERR_OK && g->has_bounds ? buf_add_char(out, ')') : e;
}

static enum err add_line(struct buf *out, const char *text, size_t len, int columns)
{
    size_t room = show_bytes_of(text, columns > 1 ? (size_t)columns - 1 : 1);
    enum err e = buf_add(out, text, len < room ? len : room);
    return e == ERR_OK ? buf_add_text(out, "\033[K\n") : e;
}

static enum err add_bar(struct buf *out, const char *name, int64_t n, int64_t of, int columns)
{
    BUF_AUTO struct buf line = {0}, count = {0};
    int width = columns / 3 < BAR_MAX ? columns / 3 : BAR_MAX;
    int full = of > 0 ? (int)((double)n / (double)of * width + 0.5) : 0;
    if (n > 0 && full == 0)
        full = 1;
    enum err e = show_count((uint64_t)(n > 0 ? n : 0), &count);
    if (e == ERR_OK)
        e = buf_printf(&line, "%-9s [", name);
    for (int i = 0; i < width && e == ERR_OK; i++)
        e = buf_add_char(&line, i < full ? '#' : '.');
    if (e == ERR_OK)
        e = buf_printf(&line, "] %s", buf_text(&count));
    return e == ERR_OK ? add_line(out, line.data, line.len, columns) : e;
}

static enum err add_bars(struct buf *out, const struct json *b, int columns)
{
    static const struct {
        const char *key, *name;
    } states[] = {{"accepted", "accepted"}, {"judging", "comparing"}, {"failed", "failed"}};
    int64_t units = number(b, "units"), open = number(b, "open"), out_now = number(b, "leased");
    enum err e = ERR_OK;
    if (number(b, "units_wanted") > units)
        units = number(b, "units_wanted");
    for (size_t i = 0; i < sizeof states / sizeof *states && e == ERR_OK; i++)
        e = add_bar(out, states[i].name, number(b, states[i].key), units, columns);
    int64_t waits = number(b, "provisional"); /* counted as open, too */
    open = waits < open ? open - waits : 0;
    int64_t busy = out_now < open ? out_now : open; /* one unit may be at several hosts */
    if (e == ERR_OK && waits > 0)
        e = add_bar(out, "not final", waits, units, columns);
    if (e == ERR_OK)
        e = add_bar(out, "at hosts", busy, units, columns);
    return e == ERR_OK ? add_bar(out, "waiting", open - busy, units, columns) : e;
}

static enum err paint(struct watch *w, const struct json *b, const struct pace_guess *g, struct buf *out)
{
    BUF_AUTO struct buf head = {0}, eta = {0};
    int columns = show_terminal_columns(w->cli->err);
    enum err e = buf_printf(&head, "batch %s ", w->batch);
    if (e == ERR_OK)
        e = show_value(json_field(b, "name"), SHOW_TEXT, &head);
    if (e == ERR_OK)
        e = buf_printf(&head, ": %s",
                       json_text(json_field(b, "state")) ? json_text(json_field(b, "state")) : "");
    if (e == ERR_OK)
        e = add_line(out, head.data, head.len, columns);
    if (e == ERR_OK)
        e = add_bars(out, b, columns);
    if (e == ERR_OK && (e = add_eta(g, &eta)) == ERR_OK && eta.len)
        e = add_line(out, eta.data, eta.len, columns);
    for (const char *at = buf_text(&w->failures); e == ERR_OK && *at; at += strcspn(at, "\n") + 1)
        e = add_line(out, at, strcspn(at, "\n"), columns);
    return e;
}

static void wipe(struct watch *w)
{
    if (w->drawn)
        fprintf(w->cli->err, "\033[%uA\033[J", w->drawn);
    w->drawn = 0;
}

static void draw(struct watch *w, const struct json *b, const struct pace_guess *g)
{
    BUF_AUTO struct buf picture = {0};
    if (paint(w, b, g, &picture) != ERR_OK)
        return;
    wipe(w);
    fputs(buf_text(&picture), w->cli->err);
    fflush(w->cli->err);
    for (const char *at = buf_text(&picture); *at; at++)
        w->drawn += *at == '\n';
}

/* Where there is no terminal: a line now and then, none for what is quick. */
static void tell_line(struct watch *w, const struct json *b, const struct pace_guess *g, int64_t now_ms)
{
    BUF_AUTO struct buf text = {0};
    int64_t units = number(b, "units"), accepted = number(b, "accepted"), failed = number(b, "failed");
    if (w->cli->quiet || w->cli->json || now_ms - w->line_ms < LINE_EVERY_MS)
        return;
    w->line_ms = now_ms;
    enum err e = buf_printf(&text, "%3d %% ", units ? (int)((accepted + failed) * 100 / units) : 0);
    if (e == ERR_OK)
        e = show_count((uint64_t)accepted, &text);
    if (e == ERR_OK)
        e = buf_add_char(&text, '/');
    if (e == ERR_OK)
        e = show_count((uint64_t)units, &text);
    if (e == ERR_OK)
        e = buf_printf(&text, " accepted, %lld failed, %lld out", (long long)failed,
                       (long long)number(b, "leased"));
    if (e == ERR_OK && number(b, "errors") > 0)
        e = buf_printf(&text, ", %lld errors (dugnad failures %s)", (long long)number(b, "errors"), w->batch);
    if (e == ERR_OK && g->rate > 0)
        e = buf_add_text(&text, ", ");
    if (e == ERR_OK)
        e = add_eta(g, &text);
    if (e == ERR_OK && str_eq(json_text(json_field(b, "state")), "paused"))
        e = buf_add_text(&text, ", paused");
    if (e == ERR_OK)
        fprintf(w->cli->err, "%s\n", buf_text(&text));
}

static void show(struct watch *w, const struct json *b, int64_t now_ms)
{
    int64_t done = number(b, "accepted") + number(b, "failed");
    pace_add(&w->pace, now_ms, done);
    struct pace_guess g = pace_guess(&w->pace, number(b, "units") - done);
    if (!w->tty) {
        tell_line(w, b, &g, now_ms);
        return;
    }
    if (number(b, "errors") + number(b, "failed") > 0)
        look_at_failures(w, now_ms);
    draw(w, b, &g);
}

/* --- the end --- */

static bool is_over(const struct json *b)
{
    const char *state = json_text(json_field(b, "state"));
    return str_eq(state, "done") || str_eq(state, "cancelled");
}

static enum err tell_end(struct cli *c, const char *batch, const struct json *b, bool aside)
{
    char took[32], text[160];
    int64_t failed = number(b, "failed"), from = number(b, "created_ms"), to = number(b, "finished_ms");
    bool cancelled = str_eq(json_text(json_field(b, "state")), "cancelled");
    if (failed > 0 || cancelled)
        c->status = CLI_STATUS_FAILED;
    if (c->json)
        return show_json(c, b);
    str_from_duration_ms(to > from ? to - from : 0, took, sizeof took);
    snprintf(text, sizeof text, "batch %s is %s: %lld of %lld units accepted, %lld failed%s%s", batch,
             cancelled ? "cancelled" : "done", (long long)number(b, "accepted"),
             (long long)number(b, "units"), (long long)failed, to > from ? ", " : "", to > from ? took : "");
    if (aside)
        cli_say(c, "%s", text);
    else
        fprintf(c->out, "%s\n", text);
    if (failed > 0)
        cli_say(c, "why: dugnad failures %s; again: dugnad retry %s", batch, batch);
    return ERR_OK;
}

static enum err follow(struct watch *w, const char *path, int64_t timeout_ms, bool aside)
{
    int64_t began_ms = clock_mono_ms();
    enum err e = ERR_OK;
    w->line_ms = began_ms;
    while (e == ERR_OK) {
        JSON_AUTO struct json_doc *doc = NULL;
        int64_t now_ms = clock_mono_ms();
        if ((e = api_get(w->cli, path, &doc)) != ERR_OK)
            break;
        const struct json *b = json_root(doc);
        if (is_over(b)) {
            wipe(w);
            return tell_end(w->cli, w->batch, b, aside);
        }
        show(w, b, now_ms);
        int64_t over = number(b, "accepted") + number(b, "failed");
        if (timeout_ms && now_ms - began_ms >= timeout_ms)
            e = err_set(ERR_TIMEOUT, "batch %s is not done yet: %lld of %lld units are", w->batch,
                        (long long)over, (long long)number(b, "units"));
        else
            clock_sleep_ms(now_ms - began_ms < FAST_FOR_MS ? POLL_FAST_MS : POLL_SLOW_MS);
    }
    wipe(w);
    return e;
}

enum err watch_batch(struct cli *c, const char *batch, int64_t timeout_ms, bool aside)
{
    BUF_AUTO struct buf path = {0};
    struct watch w = {.cli = c, .batch = batch, .tty = cli_bar(c)};
    enum err e = buf_add_text(&path, "/v1/batches/");
    if (e == ERR_OK)
        e = api_escape(batch, &path);
    if (e == ERR_OK)
        e = follow(&w, buf_text(&path), timeout_ms, aside);
    buf_done(&w.failures);
    return e;
}
