/* api_console.c - what only the console asks: gathered from what is stored, bounded in what it looks at
 * (web/API.md) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "server/api.h"
#include "server/serve.h"
#include "server/try.h"

enum { BATCHES_LOOKED_AT = 50, GROUPS_EACH = 20 };

/* --- last failures --- */

struct failure {
    const struct store_failure_group *group;
};

static int newest_first(const void *a, const void *b)
{
    const struct failure *x = a, *y = b;
    return (x->group->last_ms < y->group->last_ms) - (x->group->last_ms > y->group->last_ms);
}

static enum err gather_failures(struct call *c, struct failure **ret, uint32_t *ret_count)
{
    struct store_batch *batches;
    struct arena *a = &c->http->arena;
    uint32_t batch_count;
    uint64_t user = c->who.role == ROLE_SCIENTIST ? c->who.id : 0;
    TRY(store_batch_list(c->store, a, user, 0, BATCHES_LOOKED_AT, &batches, &batch_count));
    *ret = arena_array(a, (size_t)batch_count * GROUPS_EACH + 1, sizeof **ret);
    *ret_count = 0;
    TRY(*ret ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < batch_count; i++) {
        struct store_failure_group *groups;
        uint32_t count;
        if (batches[i].counts.errors == 0)
            continue;
        TRY(store_failure_list(c->store, a, batches[i].id, GROUPS_EACH, &groups, &count));
        for (uint32_t g = 0; g < count; g++)
            (*ret)[(*ret_count)++].group = &groups[g];
    }
    qsort(*ret, *ret_count, sizeof **ret, newest_first);
    return ERR_OK;
}

static void failure_write(struct json_out *o, const struct store_note *n)
{
    char unit[ID_TEXT_BYTES];
    wu_id_text(n->unit, unit);
    json_out_object(o, NULL);
    json_out_string(o, "unit", unit);
    json_out_i64(o, "attempt", n->attempt);
    api_id(o, "host", n->host_id);
    json_out_i64(o, "time_ms", n->at_ms);
    json_out_string(o, "error", attempt_error_name(n->error));
    if (n->exit_code)
        json_out_i64(o, "exit_code", n->exit_code);
    if (n->signal)
        json_out_i64(o, "signal", n->signal);
    json_out_string_len(o, "message", n->message, strlen(n->message));
    json_out_string_len(o, "stderr", n->stderr_tail, strlen(n->stderr_tail));
    json_out_close(o);
}

/* What went wrong at one host, one by one. */
static enum err write_of_host(struct call *c, struct json_out *o, uint64_t host, uint32_t limit)
{
    struct store_note *notes;
    uint32_t count, shown = 0;
    TRY(store_note_list_of(c->store, &c->http->arena, host, STORE_PAGE_MAX, &notes, &count));
    for (uint32_t i = 0; i < count && shown < limit; i++) {
        struct store_batch b = {0};
        if (c->who.role == ROLE_SCIENTIST)
            TRY(store_batch_get(c->store, &c->http->arena, wu_id_batch(notes[i].unit), &b));
        if (api_may_see(c, &b) != ERR_OK)
            continue;
        failure_write(o, &notes[i]);
        shown++;
    }
    return ERR_OK;
}

/* One of each kind, newest first: the same failure a thousand times is one line here. */
static enum err write_kinds(struct call *c, struct json_out *o, uint32_t limit)
{
    struct failure *list;
    uint32_t count, shown = 0;
    TRY(gather_failures(c, &list, &count));
    for (uint32_t i = 0; i < count && shown < limit; i++) {
        const struct store_failure_group *g = list[i].group;
        struct store_note *notes;
        uint32_t note_count;
        TRY(store_note_list(c->store, &c->http->arena, g->sample_unit, &notes, &note_count));
        for (uint32_t n = 0; n < note_count; n++)
            if (notes[n].attempt == g->sample_attempt) {
                failure_write(o, &notes[n]);
                shown++;
                break;
            }
    }
    return ERR_OK;
}

enum err api_failures(struct call *c)
{
    uint32_t limit;
    uint64_t host;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page_limit(c, &limit));
    TRY(call_number(c, "host", 0, INT64_MAX, &host));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    TRY(host ? write_of_host(c, &o, host, limit) : write_kinds(c, &o, limit));
    api_page_end(&o, 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- health --- */

static uint64_t resident_bytes(void)
{
    BUF_AUTO struct buf text = {0};
    unsigned long long pages = 0;
    if (file_read("/proc/self/statm", 256, &text) != ERR_OK ||
        sscanf(buf_text(&text), "%*u %llu", &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t database_bytes(const struct server *s)
{
    static const char *const endings[] = {"", "-wal"};
    char where[4096], path[4200];
    uint64_t all = 0, bytes;
    if (serve_database(s->data, &s->settings, where, sizeof where) != ERR_OK || !str_starts(where, "sqlite:"))
        return 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s%s", where + strlen("sqlite:"), endings[i]);
        if (file_size(path, &bytes) == ERR_OK)
            all += bytes;
    }
    return all;
}

/* most: from there on no new batch is taken; 0: that never happens */
static void share_write(struct json_out *o, const char *name, double share, double most, const char *note)
{
    json_out_object(o, NULL);
    json_out_string(o, "name", name);
    json_out_real(o, "share", share < 0 ? 0 : share > 1 ? 1 : share);
    json_out_string(o, "note", note);
    json_out_string(o, "level", most > 0 && share > most ? "error" : share > ADMIT_AMBER ? "warn" : "ok");
    json_out_close(o);
}

static void utilisation_write(struct server *s, struct json_out *o)
{
    struct admit_load load = pulse_load(s->pulse);
    json_out_array(o, "utilisation");
    double most = s->settings.load_max;
    share_write(o, "Engine", load.engine, most,
                "of its thread's time over a minute: rules, database and its disk");
    share_write(o, "Queue", load.queue, most, "of the places for requests that wait for the engine");
    share_write(o, "Processor", load.cpu, most, "of this machine's cores, by the server");
    share_write(o, "Disk writes", load.disk, most,
                "of the engine's time, waiting until the disk has made transactions durable");
    share_write(o, "Connections", http_connections(s->http) / (double)s->settings.connections, 0, "open now");
    json_out_close(o);
}

static void findings_write(struct server *s, struct json_out *o)
{
    struct buf BUF_AUTO reasons = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    struct json_out list;
    json_out_init(&list, &reasons);
    json_out_array(&list, NULL);
    (void)pulse_reasons(s->pulse, &list);
    json_out_close(&list);
    json_out_array(o, "findings");
    if (json_out_end(&list) == ERR_OK && json_parse(reasons.data, reasons.len, reasons.len, &doc) == ERR_OK)
        for (size_t i = 0; i < json_count(json_root(doc)); i++) {
            json_out_object(o, NULL);
            json_out_string(o, "level", "error");
            json_out_value(o, "what", json_at(json_root(doc), i));
            json_out_close(o);
        }
    alerts_write(s->alerts, o);
    json_out_close(o);
}

enum err api_health(struct call *c)
{
    struct server *s = c->server;
    uint64_t disk_free = 0;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(file_disk_free(s->data, &disk_free));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    utilisation_write(s, &o);
    findings_write(s, &o);
    json_out_array(&o, "versions");
    pulse_versions(s->pulse, &o);
    json_out_close(&o);
    json_out_u64(&o, "memory_bytes", resident_bytes());
    json_out_u64(&o, "database_bytes", database_bytes(s));
    json_out_u64(&o, "disk_free_bytes", disk_free);
    json_out_i64(&o, "up_ms", clock_mono_ms() - s->started_ms);
    json_out_string(&o, "server", DUGNAD_VERSION);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
