#include "server/pulse_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "server/try.h"

enum { FILE_BYTES_MAX = 64 << 20, LINE_MAX_BYTES = 256, HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

struct pulse_history {
    FILE *file;
    uint32_t first, count; /* a ring */
    struct pulse_minute minutes[PULSE_MINUTES_MAX];
};

static void keep(struct pulse_history *h, const struct pulse_minute *m)
{
    h->minutes[(h->first + h->count) % PULSE_MINUTES_MAX] = *m;
    if (h->count < PULSE_MINUTES_MAX)
        h->count++;
    else
        h->first = (h->first + 1) % PULSE_MINUTES_MAX;
}

static bool read_line(const char *line, size_t len, struct pulse_minute *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    int64_t *fields[] = {&ret->time_ms, &ret->accepted,   &ret->failed,      &ret->errors,
                         &ret->ended,   &ret->units_open, &ret->hosts_active};
    if (json_parse(line, len, LINE_MAX_BYTES, &doc) != ERR_OK)
        return false;
    const struct json *list = json_root(doc);
    if (json_count(list) != sizeof fields / sizeof *fields)
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i] = json_int(json_at(list, i), 0);
    return true;
}

static enum err print(FILE *f, const struct pulse_minute *m)
{
    int n =
        fprintf(f, "[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]\n",
                m->time_ms, m->accepted, m->failed, m->errors, m->ended, m->units_open, m->hosts_active);
    return n > 0 && fflush(f) == 0 ? ERR_OK : err_set_errno(ERR_IO, "cannot write the history");
}

static enum err load(struct pulse_history *h, const char *path, uint32_t *ret_lines)
{
    BUF_AUTO struct buf text = {0};
    buf_init(&text, FILE_BYTES_MAX);
    enum err e = file_read(path, FILE_BYTES_MAX, &text);
    *ret_lines = 0;
    if (e == ERR_MISSING)
        return ERR_OK;
    TRY(e);
    for (const char *at = buf_text(&text); *at; (*ret_lines)++) {
        struct pulse_minute m;
        size_t len = strcspn(at, "\n");
        if (read_line(at, len, &m))
            keep(h, &m);
        at += len + (at[len] == '\n');
    }
    return ERR_OK;
}

/* A file that has grown long is written anew with what still counts. */
static enum err rewrite(struct pulse_history *h, const char *path)
{
    char temporary[4096];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary)
        return err_set(ERR_LIMIT, "the path of the history is too long");
    FILE *f = fopen(temporary, "we");
    enum err e = f ? ERR_OK : err_set_errno(ERR_IO, "cannot write %s", temporary);
    for (uint32_t i = 0; e == ERR_OK && i < h->count; i++)
        e = print(f, pulse_history_at(h, i));
    if (f && fclose(f) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", temporary);
    return e == ERR_OK ? file_rename_durable(temporary, path) : e;
}

enum err pulse_history_open(const char *path, struct pulse_history **ret)
{
    uint32_t lines;
    struct pulse_history *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(ERR_NOMEM, "no memory for the history");
    enum err e = load(h, path, &lines);
    if (e == ERR_OK && lines > 2 * PULSE_MINUTES_MAX)
        e = rewrite(h, path);
    if (e == ERR_OK && !(h->file = fopen(path, "ae")))
        e = err_set_errno(ERR_IO, "cannot write %s", path);
    if (e != ERR_OK) {
        pulse_history_close(h);
        return e;
    }
    *ret = h;
    return ERR_OK;
}

void pulse_history_close(struct pulse_history *h)
{
    if (!h)
        return;
    if (h->file)
        fclose(h->file);
    free(h);
}

void pulse_history_add(struct pulse_history *h, const struct pulse_minute *m)
{
    keep(h, m);
    if (print(h->file, m) != ERR_OK)
        log_event(LOG_WARN, "history-failed", "err", err_text(), NULL);
}

uint32_t pulse_history_count(const struct pulse_history *h)
{
    return h->count;
}

const struct pulse_minute *pulse_history_at(const struct pulse_history *h, uint32_t i)
{
    return &h->minutes[(h->first + i) % PULSE_MINUTES_MAX];
}

const struct pulse_minute *pulse_history_since(const struct pulse_history *h, int64_t since_ms)
{
    uint32_t low = 0, high = h->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pulse_history_at(h, middle)->time_ms < since_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < h->count ? pulse_history_at(h, low) : NULL;
}

int64_t pulse_history_accepted(const struct pulse_history *h, int64_t now_ms)
{
    int64_t at_ms = h->count > 0 ? pulse_history_at(h, 0)->time_ms : now_ms;
    for (uint32_t i = h->count; i-- > 0;) {
        const struct pulse_minute *m = pulse_history_at(h, i);
        if (m->units_open == 0 || (i > 0 && m->accepted != pulse_history_at(h, i - 1)->accepted)) {
            at_ms = m->time_ms;
            break;
        }
    }
    return at_ms < now_ms ? at_ms : now_ms;
}

/* Counters go back to zero where a project's database was replaced: such a step counts as nothing. */
static int64_t grown(int64_t now, int64_t then)
{
    return now > then ? now - then : 0;
}

void pulse_history_day(const struct pulse_history *h, int64_t from_ms, struct pulse_day *ret)
{
    const struct pulse_minute *before = NULL;
    *ret = (struct pulse_day){.minutes = 0};
    for (uint32_t i = 0; i < h->count; i++) {
        const struct pulse_minute *m = pulse_history_at(h, i);
        int64_t at_ms = m->time_ms - from_ms;
        if (at_ms >= 0 && at_ms < DAY_MS) {
            int64_t hour = at_ms / HOUR_MS, accepted = before ? grown(m->accepted, before->accepted) : 0;
            ret->minutes++;
            ret->accepted[hour] += accepted;
            ret->hosts[hour] = m->hosts_active > ret->hosts[hour] ? m->hosts_active : ret->hosts[hour];
            ret->all += accepted;
            ret->failed += before ? grown(m->failed, before->failed) : 0;
            ret->errors += before ? grown(m->errors, before->errors) : 0;
            ret->ended += before ? grown(m->ended, before->ended) : 0;
            ret->open = m->units_open;
        }
        before = m;
    }
}
