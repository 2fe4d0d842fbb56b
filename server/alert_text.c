/* alert_text.c - see alert_text.h */
#include "server/alert_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"
#include "server/try.h"

#define DAY_MS         86400000
#define TEXT(n)        (n)->what, sizeof(n)->what
#define REMEDY(n, ...) snprintf((n)->remedy, sizeof(n)->remedy, __VA_ARGS__)

static double percent(int64_t part, int64_t all)
{
    return all > 0 ? 100.0 * (double)part / (double)all : 0;
}

static void describe_end(const char *what, const char *so, int64_t ends_ms, int64_t now_ms,
                         struct alert_note *n)
{
    if (ends_ms <= now_ms)
        snprintf(TEXT(n), "%s has expired: %s", what, so);
    else
        snprintf(TEXT(n), "%s ends in %" PRId64 " days", what, (ends_ms - now_ms) / DAY_MS);
}

void alert_describe(enum alert_kind kind, const struct alert_sample *s, const char *reason,
                    struct alert_note *n)
{
    char a[40], b[40];
    n->kind = kind;
    switch (kind) {
    case ALERT_HOSTS:
        snprintf(TEXT(n),
                 "%" PRId64 " of the %" PRId64 " PCs of the last day did not call within the last hour",
                 s->hosts_day - s->hosts_hour, s->hosts_day);
        REMEDY(n,
               "Can PCs reach the server? Try its address from outside; look at the newest client version.");
        break;
    case ALERT_ERRORS:
        snprintf(TEXT(n), "%.0f %% of the last hour's attempts ended in errors: %" PRId64 " of %" PRId64,
                 percent(s->errors_hour, s->ended_hour), s->errors_hour, s->ended_hour);
        REMEDY(n, "dugnad failures BATCH groups them by reason; pause the batch whose app fails.");
        break;
    case ALERT_BACKLOG:
        str_from_duration_ms(s->backlog_ms, a, sizeof a);
        snprintf(TEXT(n), "an answer waits to be judged, or a web hook to be called, for %s", a);
        REMEDY(n, "The console's Validation and the server's log say which validator or address hangs.");
        break;
    case ALERT_SILENCE:
        str_from_duration_ms(s->silence_ms, a, sizeof a);
        snprintf(TEXT(n), "no answer was accepted for %s though work waits", a);
        REMEDY(n, "dugnad explain BATCH says what it waits for; dugnad-server doctor looks at the rest.");
        break;
    case ALERT_DISK:
        str_from_bytes(s->disk_free, a, sizeof a);
        str_from_bytes(s->disk_all, b, sizeof b);
        snprintf(TEXT(n), "%s of the disk's %s are free", a, b);
        REMEDY(n, "Purge old batches or enlarge the disk: below disk_free_batch no batch is taken, below "
                  "disk_free_min no answer.");
        break;
    case ALERT_CERTIFICATE:
        describe_end("the TLS certificate", ALERT_CERTIFICATE_ENDED, s->certificate_ends_ms, s->now_ms, n);
        REMEDY(n, "Put a new one in its place and send SIGHUP; PCs learn it from the server statement.");
        break;
    case ALERT_ROOT:
        describe_end("the root statement", ALERT_ROOT_ENDED, s->root_ends_ms, s->now_ms, n);
        REMEDY(n, "Sign the next version with the offline root key (server/README.md).");
        break;
    case ALERT_READY:
        snprintf(TEXT(n), "the server is not ready: %s", reason);
        REMEDY(n, "dugnad-server doctor names what is wrong and what to do.");
        break;
    case ALERT_LOAD:
        snprintf(TEXT(n), "%s", reason);
        REMEDY(n, "From load_max on no new batch is taken: a larger machine, a faster disk, longer contact "
                  "times, or "
                  "PostgreSQL (server/README.md).");
        break;
    case ALERT_ROLLOUT:
        snprintf(TEXT(n), "a new version was stopped: %s", reason);
        REMEDY(n, "dugnad failures BATCH says how it fails; then dugnad app rollout NAME VERSION stop, or a "
                  "share to try "
                  "again.");
        break;
    case ALERT_KINDS:
        break;
    }
}

static enum err add_note(const struct alert_note *n, struct buf *out)
{
    static const char *const words[] = {[ALERT_NOTHING] = "",
                                        [ALERT_BEGINS] = "WRONG",
                                        [ALERT_LASTS] = "STILL WRONG",
                                        [ALERT_ENDS] = "WELL AGAIN"};
    char at[40];
    str_from_time_ms(n->at_ms, at, sizeof at);
    TRY(buf_printf(out, "%s  %s: %s\n", at, words[n->notice], n->what));
    return n->notice != ALERT_ENDS ? buf_printf(out, "    %s\n", n->remedy) : ERR_OK;
}

enum err alert_mail_text(const struct settings *s, const struct alert_note *notes, uint32_t count,
                         struct buf *subject, struct buf *text)
{
    const struct alert_note *first = &notes[0];
    for (uint32_t i = 0; i < count; i++)
        if (first->notice == ALERT_ENDS && notes[i].notice != ALERT_ENDS)
            first = &notes[i];
    TRY(buf_printf(subject, "[%s] %s%s", s->name, first->notice == ALERT_ENDS ? "well again: " : "",
                   first->what));
    if (count > 1)
        TRY(buf_printf(subject, " (and %u more)", count - 1));
    for (uint32_t i = 0; i < count; i++)
        TRY(add_note(&notes[i], text));
    return buf_printf(text, "\n%s\n", s->url);
}

enum err alert_hook_text(const struct settings *s, const struct alert_note *notes, uint32_t count,
                         struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "project", s->name);
    json_out_string(&o, "url", s->url);
    json_out_array(&o, "notices");
    for (uint32_t i = 0; i < count; i++) {
        json_out_object(&o, NULL);
        alert_note_write(&notes[i], &o);
        json_out_close(&o);
    }
    json_out_close(&o);
    json_out_close(&o);
    return json_out_end(&o);
}

/* --- the daily report --- */

static int64_t most_of(const int64_t list[24])
{
    int64_t most = 0;
    for (int i = 0; i < 24; i++)
        most = list[i] > most ? list[i] : most;
    return most;
}

static enum err add_bars(const struct pulse_day *d, struct buf *out)
{
    enum { WIDTH = 50 };
    int64_t most = most_of(d->accepted);
    TRY(buf_add_text(out, "\nUnits accepted, hour by hour:\n"));
    for (int hour = 0; hour < 24; hour++) {
        TRY(buf_printf(out, "%02d ", hour));
        for (int64_t i = 0; most > 0 && i < (d->accepted[hour] * WIDTH + most - 1) / most; i++)
            TRY(buf_add_text(out, "\u2588"));
        TRY(buf_printf(out, " %" PRId64 "\n", d->accepted[hour]));
    }
    return ERR_OK;
}

static enum err add_troubles(const struct alert_book *alerts, struct buf *out)
{
    bool any = false;
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        if (alerts->states[kind].told) {
            TRY(buf_printf(out, "%s  %s\n", any ? "" : "Wrong at this moment:\n", alerts->what[kind]));
            any = true;
        }
    return any ? ERR_OK : buf_add_text(out, "All is well.\n");
}

enum err report_text(const struct settings *s, const char *day, const struct pulse_day *d,
                     const struct alert_book *alerts, struct buf *subject, struct buf *text)
{
    TRY(buf_printf(subject, "[%s] %s: %" PRId64 " units accepted", s->name, day, d->all));
    TRY(add_troubles(alerts, text));
    TRY(buf_printf(text,
                   "\n%s\n"
                   "  units accepted     %10" PRId64 "\n"
                   "  units failed       %10" PRId64 "\n"
                   "  attempts ended     %10" PRId64 ", %.1f %% of them in errors\n"
                   "  PCs at once        %10" PRId64 "\n"
                   "  units open         %10" PRId64 " at the end of the day\n",
                   day, d->all, d->failed, d->ended, percent(d->errors, d->ended), most_of(d->hosts),
                   d->open));
    if (d->minutes < 24 * 60 - 30)
        TRY(buf_printf(text, "  the server ran for %10u minutes of 1440\n", d->minutes));
    TRY(add_bars(d, text));
    return buf_printf(text, "\n%s\n", s->url);
}

enum err report_plot(const char *day, const struct pulse_day *d, struct buf *out)
{
    enum { LEFT = 60, BOTTOM = 180, HEIGHT = 140, STEP = 24 };
    int64_t most = most_of(d->accepted);
    TRY(buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"660\" height=\"220\" font-family=\"sans-serif\" "
        "font-size=\"11\"><rect width=\"660\" height=\"220\" fill=\"#fff\"/>"
        "<text x=\"%d\" y=\"20\" font-size=\"14\">Units accepted on %s</text>"
        "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%" PRId64 "</text>"
        "<path d=\"M%d %dh%d\" stroke=\"#888\"/>",
        LEFT, day, LEFT - 6, BOTTOM - HEIGHT + 4, most, LEFT, BOTTOM, 24 * STEP));
    for (int hour = 0; hour < 24; hour++) {
        int high = most > 0 ? (int)(d->accepted[hour] * HEIGHT / most) : 0;
        TRY(buf_printf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#2563a8\"/>",
                       LEFT + hour * STEP + 2, BOTTOM - high, STEP - 4, high));
        if (hour % 3 == 0)
            TRY(buf_printf(out, "<text x=\"%d\" y=\"%d\">%02d</text>", LEFT + hour * STEP + 4, BOTTOM + 16,
                           hour));
    }
    return buf_add_text(out, "</svg>\n");
}
