/* tally.c - see tally.h */
#include "client/tally.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#define HOUR_MS        (3600 * 1000ll)
#define SAVE_MS        (5 * 60 * 1000)
#define FILE_BYTES_MAX (256u << 10)
#define COUNT_MAX      1e15
#define MOVED_LITTLE   (256u << 10)

struct hour {
    int64_t at_ms, ok, bad, cpu_ms, moved;
};

struct tally {
    char *path;
    struct hour *hours; /* oldest first */
    uint32_t count;
    bool dirty;
    int64_t saved_ms;
    uint64_t moved; /* in no hour yet */
    int64_t moved_ms;
};

static enum err add_hour(struct tally *t, const struct hour *h)
{
    if (t->count == TALLY_HOURS_MAX) {
        memmove(t->hours, t->hours + 1, (TALLY_HOURS_MAX - 1) * sizeof *h);
        t->hours[TALLY_HOURS_MAX - 1] = *h;
        return ERR_OK;
    }
    struct hour *more = realloc(t->hours, (t->count + 1) * sizeof *h);
    if (!more)
        return err_set(ERR_NOMEM, "out of memory");
    t->hours = more;
    t->hours[t->count++] = *h;
    return ERR_OK;
}

static enum err read_hour(struct tally *t, const struct json *v)
{
    struct hour h;
    enum err e;
    if ((e = json_get_i64(v, "", "at_ms", 0, INT64_MAX / 2, &h.at_ms)) != ERR_OK ||
        (e = json_get_i64(v, "", "ok", 0, (int64_t)COUNT_MAX, &h.ok)) != ERR_OK ||
        (e = json_get_i64(v, "", "bad", 0, (int64_t)COUNT_MAX, &h.bad)) != ERR_OK ||
        (e = json_get_i64(v, "", "cpu_ms", 0, (int64_t)COUNT_MAX, &h.cpu_ms)) != ERR_OK ||
        (e = json_opt_i64(v, "", "moved_bytes", 0, (int64_t)COUNT_MAX, 0, &h.moved)) != ERR_OK)
        return e;
    if (t->count > 0 && h.at_ms <= t->hours[t->count - 1].at_ms)
        return err_set(ERR_CORRUPT, "the hours are not in order");
    return add_hour(t, &h);
}

static enum err read_all(struct tally *t)
{
    BUF_AUTO struct buf text = {.bytes_max = FILE_BYTES_MAX};
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *hours;
    enum err e = file_read(t->path, FILE_BYTES_MAX, &text);
    if (e == ERR_OK)
        e = json_parse(buf_text(&text), text.len, FILE_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = json_get_array(json_root(doc), "", "hours", TALLY_HOURS_MAX, &hours);
    for (size_t i = 0; e == ERR_OK && i < json_count(hours); i++)
        e = read_hour(t, json_at(hours, i));
    return e;
}

enum err tally_open(const char *path, struct tally **ret)
{
    struct tally *t = calloc(1, sizeof *t);
    if (!t || !(t->path = strdup(path))) {
        free(t);
        return err_set(ERR_NOMEM, "out of memory");
    }
    enum err e = read_all(t);
    if (e != ERR_OK && e != ERR_MISSING) {
        log_event(LOG_WARN, "history", "error", err_text(), NULL);
        t->count = 0;
    }
    *ret = t;
    return ERR_OK;
}

/* NULL: out of memory. A clock that was set back adds to the newest hour. */
static struct hour *hour_of(struct tally *t, int64_t wall_ms)
{
    int64_t at_ms = wall_ms - wall_ms % HOUR_MS;
    if ((t->count == 0 || at_ms > t->hours[t->count - 1].at_ms) &&
        add_hour(t, &(struct hour){.at_ms = at_ms}) != ERR_OK)
        return NULL;
    return &t->hours[t->count - 1];
}

static void settle_moved(struct tally *t)
{
    struct hour *h = t->moved ? hour_of(t, t->moved_ms) : NULL;
    if (!h)
        return;
    h->moved += (int64_t)t->moved;
    t->moved = 0;
    t->dirty = true;
}

void tally_add_moved(struct tally *t, int64_t wall_ms, uint64_t bytes)
{
    t->moved += bytes;
    t->moved_ms = wall_ms;
    if (t->moved > MOVED_LITTLE)
        settle_moved(t);
}

uint64_t tally_moved_since(const struct tally *t, int64_t wall_ms)
{
    uint64_t sum = t->moved;
    for (uint32_t i = t->count; i > 0 && t->hours[i - 1].at_ms + HOUR_MS > wall_ms; i--)
        sum += (uint64_t)t->hours[i - 1].moved;
    return sum;
}

void tally_add(struct tally *t, int64_t wall_ms, uint32_t ok, uint32_t bad, int64_t cpu_ms)
{
    if (ok == 0 && bad == 0 && cpu_ms <= 0)
        return;
    struct hour *h = hour_of(t, wall_ms);
    if (!h)
        return;
    h->ok += ok;
    h->bad += bad;
    h->cpu_ms += cpu_ms > 0 ? cpu_ms : 0;
    t->dirty = true;
}

enum err tally_write(const struct tally *t, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_array(&o, "hours");
    for (uint32_t i = 0; i < t->count; i++) {
        json_out_object(&o, NULL);
        json_out_i64(&o, "at_ms", t->hours[i].at_ms);
        json_out_i64(&o, "ok", t->hours[i].ok);
        json_out_i64(&o, "bad", t->hours[i].bad);
        json_out_i64(&o, "cpu_ms", t->hours[i].cpu_ms);
        json_out_i64(&o, "moved_bytes", t->hours[i].moved);
        json_out_close(&o);
    }
    json_out_close(&o);
    json_out_close(&o);
    return json_out_end(&o);
}

static void save(struct tally *t)
{
    BUF_AUTO struct buf text = {.bytes_max = FILE_BYTES_MAX};
    enum err e = tally_write(t, &text);
    if (e == ERR_OK)
        e = file_write_atomic(t->path, buf_text(&text), text.len, 0600);
    if (e != ERR_OK)
        log_event(LOG_WARN, "history", "error", err_text(), NULL);
    t->dirty = false;
}

void tally_save(struct tally *t, int64_t mono_ms)
{
    if (!t->dirty || mono_ms - t->saved_ms < SAVE_MS)
        return;
    t->saved_ms = mono_ms;
    save(t);
}

void tally_close(struct tally *t)
{
    if (!t)
        return;
    settle_moved(t);
    if (t->dirty)
        save(t);
    free(t->hours);
    free(t->path);
    free(t);
}
