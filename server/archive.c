#include "server/archive.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "server/api.h"
#include "server/archive_file.h"
#include "server/store_stage.h"
#include "server/ticker.h"
#include "server/try.h"

enum {
    EVERY_MS = 3600000,
    BATCHES_EACH = 200,
    UNITS_EACH = 200,
    STAGES_EACH = 500,
    COPY_BYTES = 1 << 16,
    PATH_ROOM = 4096
};

struct archiver {
    struct server *server;
    struct store *store;
    struct ticker *ticker;
};

/* What is written of one batch. */
struct rolling {
    struct archiver *a;
    const struct store_batch *b;
    struct archive_file *file;
    struct hash *hash; /* of all lines */
    uint64_t units;
};

static enum err stopped(const struct archiver *a)
{
    return ticker_stops(a->ticker) ? err_set(ERR_BUSY, "the server stops") : ERR_OK;
}

/* --- the file --- */

static enum err add_line(struct rolling *r, struct buf *line)
{
    TRY(buf_add_char(line, '\n'));
    hash_add(r->hash, line->data, line->len);
    return archive_file_add(r->file, line->data, line->len);
}

/* A call of nobody's, for what writes replies. */
static void call_open(struct rolling *r, struct http_request *http, struct call *c)
{
    *http = (struct http_request){.path = ""};
    *c = (struct call){.http = http, .server = r->a->server, .store = r->a->store};
    c->who = (struct principal){.role = ROLE_OPERATOR, .scope = SCOPE_ALL};
}

static enum err add_batch(struct rolling *r)
{
    struct http_request http;
    struct call c;
    struct json_out o;
    BUF_AUTO struct buf line = {0};
    call_open(r, &http, &c);
    json_out_init(&o, &line);
    api_batch_write(&c, &o, r->b);
    enum err e = json_out_end(&o);
    if (e == ERR_OK)
        e = add_line(r, &line);
    arena_done(&http.arena);
    return e;
}

static enum err add_units(struct rolling *r, struct call *c, const struct store_unit *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        BUF_AUTO struct buf line = {0};
        struct json_out o;
        json_out_init(&o, &line);
        TRY(api_unit_write_all(c, r->b, &list[i], &o));
        TRY(json_out_end(&o));
        TRY(add_line(r, &line));
        r->units++;
    }
    return ERR_OK;
}

static enum err add_all_units(struct rolling *r)
{
    static const struct store_unit_filter all = {.state = WU_STATES};
    wu_id after = 0, next = 1;
    enum err e = ERR_OK;
    while (e == ERR_OK && next != 0) {
        struct http_request http;
        struct call c;
        struct store_unit *list;
        uint32_t count;
        call_open(r, &http, &c);
        e = stopped(r->a);
        if (e == ERR_OK)
            e = store_unit_list(r->a->store, &http.arena, r->b->id, &all, after, UNITS_EACH, &list, &count,
                                &next);
        if (e == ERR_OK)
            e = add_units(r, &c, list, count);
        after = next;
        arena_done(&http.arena);
    }
    return e;
}

static enum err add_end(struct rolling *r)
{
    char hex[DIGEST_TEXT_BYTES];
    BUF_AUTO struct buf line = {0};
    struct digest d = hash_end(r->hash);
    digest_text(&d, hex);
    TRY(buf_printf(&line, "{\"units\":%" PRIu64 ",\"sha256\":\"%s\"}\n", r->units, hex));
    return archive_file_add(r->file, line.data, line.len);
}

static enum err write_file(struct rolling *r, const char *path)
{
    r->hash = hash_new();
    enum err e = r->hash ? archive_file_new(path, &r->file) : err_set(ERR_NOMEM, "no memory for an archive");
    if (e == ERR_OK)
        e = add_batch(r);
    if (e == ERR_OK)
        e = add_all_units(r);
    if (e == ERR_OK)
        e = add_end(r);
    enum err end = archive_file_end(r->file);
    hash_free(r->hash);
    if (e == ERR_OK && end == ERR_OK && r->units != (uint64_t)r->b->counts.units)
        return err_set(ERR_CORRUPT, "batch %u has %" PRId64 " units and %" PRIu64 " rows of them", r->b->id,
                       r->b->counts.units, r->units);
    return e == ERR_OK ? end : e;
}

/* --- the file becomes a blob --- */

static enum err copy_in(int fd, struct blob_upload *up)
{
    char bytes[COPY_BYTES];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0)
            return err_set_errno(ERR_IO, "cannot read an archive");
        TRY(blob_upload_write(up, bytes, (size_t)n));
    }
    return ERR_OK;
}

static enum err keep_file(struct archiver *a, const char *path, const struct store_archive *made)
{
    struct blobs *blobs = a->server->blobs;
    struct blob_upload *up;
    char holder[BLOB_HOLDER_BYTES_MAX];
    bool complete = false;
    uint64_t at;
    snprintf(holder, sizeof holder, "b%u", made->batch);
    uint64_t from = blob_upload_offset(blobs, &made->file, holder); /* of one that was killed here */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || lseek(fd, (off_t)from, SEEK_SET) < 0) {
        if (fd >= 0)
            close(fd);
        return err_set_errno(ERR_IO, "cannot read %s", path);
    }
    enum err e = blob_upload_begin(blobs, &made->file, holder, from, made->bytes, &up);
    if (e == ERR_OK) {
        e = copy_in(fd, up);
        enum err end = blob_upload_end(up, &complete, NULL, &at);
        e = e == ERR_OK ? end : e;
    }
    close(fd);
    return e == ERR_OK && !complete ? err_set(ERR_IO, "%s is not whole", path) : e;
}

/* --- a batch --- */

static enum err tell(struct arena *arena, struct archiver *a, uint32_t batch, enum engine_batch_verb verb,
                     const struct store_archive *made)
{
    struct engine_request q = {.kind = ENGINE_BATCH_DO, .arena = arena};
    q.u.batch_do = (struct engine_batch_do){.batch = batch, .verb = verb, .archive = made};
    return engine_thread_do(a->server->thread, &q);
}

static enum err roll(struct archiver *a, struct arena *arena, const struct store_batch *listed)
{
    char path[PATH_ROOM], name[64];
    struct store_batch b;
    struct store_archive made = {.batch = listed->id};
    struct rolling r = {.a = a, .b = &b};
    TRY(tell(arena, a, listed->id, ENGINE_BATCH_FREEZE, NULL));
    TRY(store_batch_get(a->store, arena, listed->id, &b));
    snprintf(name, sizeof name, "archive-%u.gz.tmp", listed->id);
    TRY(file_join(path, sizeof path, a->server->data, name));
    enum err e = write_file(&r, path);
    if (e == ERR_OK)
        e = hash_file(path, &made.file, &made.bytes);
    if (e == ERR_OK)
        e = keep_file(a, path, &made);
    (void)!unlink(path);
    TRY(e);
    made.units = r.units;
    made.made_ms = clock_wall_ms();
    TRY(tell(arena, a, listed->id, ENGINE_BATCH_ARCHIVE, &made));
    log_event(LOG_INFO, "archived", "batch", log_i64(listed->id), "units", log_i64((long long)made.units),
              "bytes", log_i64((long long)made.bytes), NULL);
    return ERR_OK;
}

/* Units of a graph that goes on are made of other batches' answers. */
static enum err is_source(struct archiver *a, struct arena *arena, uint32_t batch, bool *ret)
{
    struct store_stage *list;
    uint32_t count = STAGES_EACH, after = 0;
    *ret = false;
    while (count == STAGES_EACH) {
        TRY(store_stage_active(a->store, arena, after, STAGES_EACH, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            *ret |= list[i].source == batch;
            after = list[i].batch;
        }
    }
    return ERR_OK;
}

static enum err look_at(struct archiver *a, const struct store_batch *b, int64_t before_ms)
{
    struct arena ARENA_AUTO arena = {0};
    bool source;
    if (b->archived || b->purged || b->job != BATCH_JOB_NONE || b->finished_ms == 0 ||
        b->finished_ms > before_ms)
        return ERR_OK;
    TRY(is_source(a, &arena, b->id, &source));
    return source ? ERR_OK : roll(a, &arena, b);
}

static void look(void *ctx)
{
    struct archiver *a = ctx;
    int64_t before_ms = clock_wall_ms() - a->server->settings.archive_after_ms;
    uint32_t after = 0, count = BATCHES_EACH;
    while (count == BATCHES_EACH && !ticker_stops(a->ticker) &&
           members_have(a->server->members, DUTY_ARCHIVE)) {
        struct arena ARENA_AUTO arena = {0};
        struct store_batch *list;
        if (store_batch_list(a->store, &arena, 0, after, BATCHES_EACH, &list, &count) != ERR_OK) {
            log_event(LOG_WARN, "archive-failed", "err", err_text(), NULL);
            return;
        }
        for (uint32_t i = 0; i < count && !ticker_stops(a->ticker); i++) {
            after = list[i].id;
            enum err e = look_at(a, &list[i], before_ms);
            if (e != ERR_OK && !ticker_stops(a->ticker))
                log_event(LOG_WARN, "archive-failed", "batch", log_i64(list[i].id), "err", err_text(), NULL);
        }
    }
}

enum err archiver_start(struct server *server, struct store *store, struct archiver **ret_archiver)
{
    if (server->settings.archive_after_ms == 0)
        return ERR_OK;
    struct archiver *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(ERR_NOMEM, "no memory for archives");
    a->server = server;
    a->store = store;
    int64_t every_ms =
        server->settings.archive_after_ms < EVERY_MS ? server->settings.archive_after_ms : EVERY_MS;
    enum err e = ticker_start(look, a, every_ms, &a->ticker);
    if (e != ERR_OK) {
        free(a);
        return e;
    }
    *ret_archiver = a;
    return ERR_OK;
}

void archiver_stop(struct archiver *a)
{
    if (!a)
        return;
    ticker_stop(a->ticker);
    free(a);
}
