/* watch.c - see watch.h */
#include "client/cli/watch.h"

#include "base/clock.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/show.h"

enum { POLL_FAST_MS = 1000, POLL_SLOW_MS = 5000, FAST_FOR_MS = 60000, RATES = 32, RATE_EVERY_MS = 2000 };

struct sample {
    int64_t at_ms, done;
};

/* How fast units were done in the last minute or so. */
struct pace {
    struct sample ring[RATES];
    uint32_t count;
};

static void pace_add(struct pace *p, int64_t now_ms, int64_t done)
{
    struct sample *last = p->count ? &p->ring[(p->count - 1) % RATES] : NULL;
    if (last && now_ms - last->at_ms < RATE_EVERY_MS)
        return;
    p->ring[p->count++ % RATES] = (struct sample){now_ms, done};
}

/* Units a second; 0 when it cannot be told yet. */
static double pace_rate(const struct pace *p, int64_t now_ms, int64_t done)
{
    const struct sample *first = p->count > RATES ? &p->ring[p->count % RATES] : &p->ring[0];
    if (p->count == 0 || now_ms - first->at_ms < RATE_EVERY_MS || done <= first->done)
        return 0;
    return (double)(done - first->done) * 1000 / (double)(now_ms - first->at_ms);
}

static int64_t number(const struct json *obj, const char *key)
{
    return json_int(json_field(obj, key), 0);
}

static void draw(struct show_bar *bar, const struct json *b, double rate, int64_t now_ms)
{
    BUF_AUTO struct buf text = {0};
    char eta[32];
    int64_t units = number(b, "units"), accepted = number(b, "accepted"), failed = number(b, "failed");
    int64_t left = units - accepted - failed;
    enum err e = show_count((uint64_t)accepted, &text);
    if (e == ERR_OK)
        e = buf_add_text(&text, "/");
    if (e == ERR_OK)
        e = show_count((uint64_t)units, &text);
    if (e == ERR_OK)
        e = buf_printf(&text, " accepted, %lld failed, %lld out", (long long)failed,
                       (long long)number(b, "leased"));
    if (e == ERR_OK && rate > 0 && left > 0) {
        str_from_duration_ms((int64_t)((double)left / rate) * 1000, eta, sizeof eta);
        e = buf_printf(&text, ", %.3g/s, about %s to go", rate, eta);
    }
    if (e == ERR_OK && str_eq(json_text(json_field(b, "state")), "paused"))
        e = buf_add_text(&text, ", paused");
    if (e == ERR_OK)
        show_bar_draw(bar, units ? (double)(accepted + failed) / (double)units : 0, buf_text(&text), now_ms);
}

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

enum err watch_batch(struct cli *c, const char *batch, int64_t timeout_ms, bool aside)
{
    BUF_AUTO struct buf path = {0};
    struct show_bar bar;
    struct pace pace = {0};
    int64_t began_ms = clock_mono_ms();
    enum err e = buf_add_text(&path, "/v1/batches/");
    if (e == ERR_OK)
        e = api_escape(batch, &path);
    show_bar_init(&bar, c);
    while (e == ERR_OK) {
        JSON_AUTO struct json_doc *doc = NULL;
        int64_t now_ms = clock_mono_ms();
        if ((e = api_get(c, buf_text(&path), &doc)) != ERR_OK)
            break;
        const struct json *b = json_root(doc);
        int64_t done = number(b, "accepted") + number(b, "failed");
        pace_add(&pace, now_ms, done);
        if (is_over(b)) {
            show_bar_end(&bar);
            return tell_end(c, batch, b, aside);
        }
        draw(&bar, b, pace_rate(&pace, now_ms, done), now_ms);
        if (timeout_ms && now_ms - began_ms >= timeout_ms) {
            show_bar_end(&bar);
            return err_set(ERR_TIMEOUT, "batch %s is not done yet: %lld of %lld units are", batch,
                           (long long)done, (long long)number(b, "units"));
        }
        clock_sleep_ms(now_ms - began_ms < FAST_FOR_MS ? POLL_FAST_MS : POLL_SLOW_MS);
    }
    show_bar_end(&bar);
    return e;
}
