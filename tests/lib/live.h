/* live.h - a server without its doors: SQLite in a temporary folder, the engine on its thread, blobs; and
 * hosts that answer. For what works beside the engine. */
#ifndef TESTS_LIB_LIVE_H
#define TESTS_LIB_LIVE_H

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "lib/temp.h"
#include "server/answer_row.h"
#include "server/blob.h"
#include "server/engine_thread.h"
#include "wire/answer.h"
#include "wire/release.h"

enum { LIVE_WAIT_MS = 20000 };

struct live {
    struct temp temp;
    struct store *store, *reader, *side; /* the engine's; the test's; for whom it is about */
    struct engine *engine;
    struct engine_thread *thread;
    struct blobs *blobs;
    struct arena arena;
};

static inline enum err live_sign(void *ctx, uint32_t batch, const struct digest *order, uint32_t first,
                                 uint32_t count, const struct digest *root, struct buf *out)
{
    (void)ctx, (void)batch, (void)order, (void)first, (void)count, (void)root;
    return buf_add_text(out, "{}"); /* nobody here checks it */
}

static inline enum err live_order(void *ctx, uint32_t batch, struct buf *out)
{
    (void)ctx;
    return buf_printf(out, "{\"batch\":\"%u\"}", batch);
}

static inline void live_open(struct live *w)
{
    char where[TEMP_PATH_BYTES + 16];
    struct engine_config config = {.sign_units = live_sign};
    struct engine_thread_config thread = {.tick_ms = 5};
    *w = (struct live){.temp = temp_new()};
    snprintf(where, sizeof where, "sqlite:%s", temp_path(&w->temp, "db"));
    assert_ok(store_open(where, &w->store));
    assert_ok(store_reader_open(w->store, &w->reader));
    assert_ok(store_reader_open(w->store, &w->side));
    assert_ok(blobs_open(temp_path(&w->temp, "blobs"), 0, &w->blobs));
    assert_ok(engine_new(w->store, &config, &w->engine));
    assert_ok(engine_thread_start(w->engine, &thread, &w->thread));
}

static inline void live_close(struct live *w)
{
    engine_thread_stop(w->thread);
    engine_free(w->engine);
    blobs_close(w->blobs);
    store_close(w->side);
    store_close(w->reader);
    store_close(w->store);
    arena_done(&w->arena);
    temp_done(&w->temp);
}

static inline enum err live_ask(struct live *w, struct engine_request *r)
{
    r->arena = &w->arena;
    return engine_thread_do(w->thread, r);
}

/* Bytes as a complete blob that `holder` holds. */
static inline struct digest live_blob(struct live *w, const char *bytes, size_t len, const char *holder)
{
    struct digest d = hash_bytes(bytes, len);
    struct blob_upload *u;
    uint64_t offset;
    bool whole, is_new;
    assert_ok(blob_upload_begin(w->blobs, &d, holder, 0, len, &u));
    assert_ok(blob_upload_write(u, bytes, len));
    assert_ok(blob_upload_end(u, &whole, &is_new, &offset));
    assert_true(whole);
    return d;
}

/* A batch of one unit. b says what is to be different: rules, releases, policy. */
static inline uint32_t live_submit(struct live *w, const struct store_batch *b)
{
    struct engine_request r = {.kind = ENGINE_BATCH, .user_id = 1};
    struct store_batch *n = &r.u.batch.batch;
    *n = *b;
    n->name = "test";
    n->app = "app";
    n->version = 1;
    n->hr_kind = "none";
    n->needs_features = "";
    n->array = true;
    n->array_step = 1;
    n->array_count = 1;
    if (n->release_count == 0) {
        n->release_count = 1;
        n->releases[0].platform = platform_here();
    }
    r.u.batch.order = live_order;
    assert_ok(live_ask(w, &r));
    return r.u.batch.ret_batch;
}

/* A new host with a new owner gets the next attempt there is. */
static inline uint64_t live_lease(struct live *w, struct engine_attempt *ret)
{
    struct engine_want want = {.seconds = 1e9, .cores = 1, .units_max = 1};
    struct engine_request join = {.kind = ENGINE_JOIN};
    join.u.join.host = (struct store_host){.platform = platform_here(),
                                           .os = "Debian 12",
                                           .client = "0.1",
                                           .cores = 1,
                                           .memory_bytes = 8ull << 30,
                                           .disk_bytes = 8ull << 30};
    assert_ok(live_ask(w, &join));
    *ret = (struct engine_attempt){0};
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(3)) {
        struct engine_request r = {.kind = ENGINE_WORK};
        r.u.work.host_id = join.u.join.ret_host_id;
        r.u.work.want = &want;
        assert_ok(live_ask(w, &r));
        if (r.u.work.given_count == 1) {
            *ret = (struct engine_attempt){r.u.work.given[0].unit, r.u.work.given[0].attempt};
            return join.u.join.ret_host_id;
        }
    }
    fail_msg("there was no work for a host");
    return 0;
}

/* data: what came inside the report, for each file by path. */
static inline void live_report(struct live *w, uint64_t host, struct engine_attempt at,
                               struct file_ref *files, uint32_t count, struct text *data)
{
    BUF_AUTO struct buf row = {0};
    struct store_answer answer = {files, data, count};
    struct engine_report p = {.unit = at.unit, .attempt = at.attempt};
    struct engine_request r = {.kind = ENGINE_WORK};
    struct engine_output outputs[WU_OUTPUTS_MAX];
    for (uint32_t i = 0; i < count; i++)
        outputs[i] = (struct engine_output){files[i].path, files[i].bytes};
    p.outputs = outputs;
    p.output_count = count;
    assert_ok(answer_digest(files, count, &p.answer));
    assert_ok(answer_row_write(&answer, &row));
    p.row = (struct text){buf_text(&row), (uint32_t)row.len};
    r.u.work.host_id = host;
    r.u.work.reports = &p;
    r.u.work.report_count = 1;
    assert_ok(live_ask(w, &r));
    assert_int_equal(p.ack, ERR_OK);
}

/* The answer's one output, `out`, holds this text. */
static inline void live_say(struct live *w, uint64_t host, struct engine_attempt at, const char *text)
{
    struct file_ref file = {"out", hash_bytes(text, strlen(text)), strlen(text)};
    struct text data = {text, (uint32_t)strlen(text)};
    live_report(w, host, at, &file, 1, &data);
}

/* A new host takes an attempt and answers. */
static inline uint32_t live_answer(struct live *w, const char *text)
{
    struct engine_attempt at;
    uint64_t host = live_lease(w, &at);
    live_say(w, host, at, text);
    return at.attempt;
}

static inline struct store_unit live_unit(struct live *w, uint32_t batch)
{
    struct store_unit u;
    assert_ok(store_unit_get(w->reader, &w->arena, wu_id_make(batch, 0), &u));
    return u;
}

/* What waits in the outbox, due or not; at most one is looked at. */
static inline uint32_t live_outbox(struct live *w, enum outbox_kind kind, struct store_outbox *ret)
{
    struct store_outbox *list;
    uint32_t count;
    assert_ok(store_outbox_list(w->reader, &w->arena, kind, INT64_MAX, 0, 10, &list, &count));
    if (count > 0 && ret)
        *ret = list[0];
    return count;
}

#endif
