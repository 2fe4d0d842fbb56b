/* engine_batch.c - batches in memory, and the requests that make and change them. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "server/engine_in.h"

void batch_free(struct engine *e, struct batch_mem *b)
{
    cache_drop(&e->batches, &b->item);
    arena_done(&b->text);
    free(b->windows[0].ids);
    free(b->windows[1].ids);
    free(b->failure_hashes);
    free(b);
}

static enum err copy(struct arena *a, const struct store_batch *from, struct store_batch *to)
{
    *to = *from;
    TRY(engine_text(a, from->name, &to->name));
    TRY(engine_text(a, from->app, &to->app));
    TRY(engine_text(a, from->needs_features, &to->needs_features));
    TRY(engine_text(a, from->hr_kind, &to->hr_kind));
    TRY(engine_bytes(a, &from->labels, &to->labels));
    for (uint32_t i = 0; i < from->release_count; i++)
        TRY(engine_text(a, from->releases[i].platform, &to->releases[i].platform));
    /* Nothing of these is looked at again here. */
    to->order = to->policy = to->request = (struct text){.data = "", .len = 0};
    return ERR_OK;
}

static void set_need(struct engine *e, struct batch_mem *b)
{
    b->need = (struct match_need){.features = features_of(b->b.needs_features),
                                  .memory_bytes = b->b.needs_memory_bytes,
                                  .disk_bytes = b->b.needs_disk_bytes,
                                  .cores = 1,
                                  .cost_seconds = b->b.cost,
                                  .lease_ms = b->b.rules.lease_ms};
    for (uint32_t i = 0; i < b->b.release_count; i++)
        b->need.platforms |= platform_bit(e, b->b.releases[i].platform);
}

static int by_priority(const void *x, const void *y)
{
    const struct batch_mem *a = *(struct batch_mem *const *)x, *b = *(struct batch_mem *const *)y;
    if (a->b.priority != b->b.priority)
        return a->b.priority > b->b.priority ? -1 : 1;
    return a->b.id < b->b.id ? -1 : a->b.id > b->b.id;
}

void batches_sort(struct engine *e)
{
    if (e->resort && e->active_count > 1)
        qsort(e->active, e->active_count, sizeof *e->active, by_priority);
    e->resort = false;
}

static enum err activate(struct engine *e, struct batch_mem *b)
{
    for (uint32_t i = 0; i < e->active_count; i++)
        if (e->active[i] == b)
            return ERR_OK;
    if (e->active_count == e->active_room) {
        uint32_t room = e->active_room ? e->active_room * 2 : 16;
        struct batch_mem **more = realloc(e->active, room * sizeof(struct batch_mem *));
        if (!more)
            return err_set(ERR_NOMEM, "no memory for a batch");
        e->active = more;
        e->active_room = room;
    }
    e->active[e->active_count++] = b;
    e->resort = true;
    batches_sort(e);
    return ERR_OK;
}

static void deactivate(struct engine *e, struct batch_mem *b)
{
    for (uint32_t i = 0; i < e->active_count; i++) {
        if (e->active[i] != b)
            continue;
        memmove(&e->active[i], &e->active[i + 1], (e->active_count - i - 1) * sizeof *e->active);
        e->active_count--;
        return;
    }
}

/* "max_failed" of its policy. */
static int64_t failed_max_of(const struct text *policy)
{
    JSON_AUTO struct json_doc *doc = NULL;
    if (policy->len == 0 || json_parse(policy->data, policy->len, BATCH_ORDER_BYTES_MAX, &doc) != ERR_OK)
        return -1;
    return json_int(json_field(json_root(doc), "max_failed"), -1);
}

static enum err keep(struct engine *e, const struct store_batch *from, struct batch_mem **ret)
{
    struct batch_mem *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(ERR_NOMEM, "no memory for a batch");
    b->item.key = from->id;
    b->failed_max = failed_max_of(&from->policy);
    enum err err = copy(&b->text, from, &b->b);
    if (err == ERR_OK)
        err = cache_put(&e->batches, &b->item);
    if (err != ERR_OK) {
        arena_done(&b->text);
        free(b);
        return err;
    }
    set_need(e, b);
    b->active = from->finished_ms == 0 || from->job != BATCH_JOB_NONE;
    *ret = b;
    return b->active ? activate(e, b) : ERR_OK;
}

enum err batch_find(struct engine *e, uint32_t id, struct batch_mem **ret)
{
    struct cache_item *known = cache_get(&e->batches, id);
    *ret = (struct batch_mem *)(void *)known;
    if (known)
        return ERR_OK;
    struct store_batch b;
    enum err err = store_batch_get(e->store, &e->turn, id, &b);
    if (err == ERR_MISSING)
        return ERR_OK;
    return err == ERR_OK ? keep(e, &b, ret) : err;
}

enum err batches_load(struct engine *e)
{
    struct store_batch *page;
    uint32_t count, after = 0;
    if (e->batches_loaded)
        return ERR_OK;
    do {
        TRY(store_batches_active(e->store, &e->turn, after, STORE_PAGE_MAX, &page, &count));
        for (uint32_t i = 0; i < count; i++) {
            struct batch_mem *b;
            after = page[i].id;
            if (!cache_get(&e->batches, page[i].id))
                TRY(keep(e, &page[i], &b));
        }
    } while (count == STORE_PAGE_MAX);
    e->batches_loaded = true;
    return ERR_OK;
}

/* --- what other servers did --- */

static enum err renamed(struct batch_mem *b, const struct store_batch *is)
{
    if (strcmp(b->b.name, is->name) != 0)
        TRY(engine_text(&b->text, is->name, &b->b.name));
    if (b->b.labels.len == is->labels.len && memcmp(b->b.labels.data, is->labels.data, is->labels.len) == 0)
        return ERR_OK;
    return engine_bytes(&b->text, &is->labels, &b->b.labels);
}

/* The row, and what this turn has added and not written yet. */
static void take_counts(struct batch_mem *b, const struct store_batch *is)
{
    if (b->b.counts.units < is->counts.units)
        b->windows[0].all = false;
#define X(name) b->b.counts.name = is->counts.name + b->added.name;
    BATCH_COUNT_LIST(X)
#undef X
}

static enum err take_over(struct engine *e, struct batch_mem *b, const struct store_batch *is)
{
    struct store_batch whole;
    take_counts(b, is);
    if (b->b.rev == is->rev)
        return ERR_OK;
    TRY(store_batch_get(e->store, &e->turn, is->id, &whole));
    TRY(renamed(b, &whole));
    e->resort = e->resort || b->b.priority != whole.priority;
    b->b.priority = whole.priority;
    b->b.rev = is->rev;
    b->b.loading = is->loading;
    if (b->b.paused || is->paused)
        check_offered(e, b, false);
    b->b.paused = is->paused;
    b->b.cancelled = is->cancelled;
    b->b.purged = is->purged;
    b->b.archived = is->archived;
    b->b.frozen = is->frozen;
    b->b.job = is->job;
    b->b.job_next = is->job_next;
    b->b.finished_ms = is->finished_ms;
    return ERR_OK;
}

/* Those that are not active any more, and what is remembered of those that never were. */
static void drop_rest(struct engine *e)
{
    struct cache_item *next;
    for (struct cache_item *i = e->batches.oldest; i; i = next) {
        struct batch_mem *b = (struct batch_mem *)(void *)i;
        next = i->newer;
        if (b->read_ms == e->now_ms && b->active)
            continue;
        deactivate(e, b);
        batch_free(e, b);
    }
}

enum err batches_refresh(struct engine *e, bool now)
{
    struct store_batch *page;
    uint32_t count, after = 0;
    if (!now && e->now_ms >= e->batches_read_ms && e->now_ms - e->batches_read_ms < BATCHES_FRESH_MS)
        return ERR_OK;
    do {
        TRY(store_batches_live(e->store, &e->turn, after, STORE_PAGE_MAX, &page, &count));
        for (uint32_t i = 0; i < count; i++) {
            struct batch_mem *b;
            after = page[i].id;
            TRY(batch_find(e, page[i].id, &b));
            if (!b)
                continue;
            TRY(take_over(e, b, &page[i]));
            b->read_ms = e->now_ms;
        }
    } while (count == STORE_PAGE_MAX);
    drop_rest(e);
    batches_sort(e);
    e->batches_read_ms = e->now_ms;
    return ERR_OK;
}

enum err batch_recount(struct engine *e, struct batch_mem *b)
{
    struct store_batch is;
    if (e->view.alone)
        return ERR_OK;
    TRY(store_batch_get(e->store, &e->turn, b->b.id, &is));
    take_counts(b, &is);
    return ERR_OK;
}

enum err batches_look(struct engine *e)
{
    for (uint32_t i = 0; i < e->active_count; i++) {
        struct batch_mem *b = e->active[i];
        TRY(batch_check_finished(e, b));
        trust_look(e, b);
    }
    return ERR_OK;
}

void batch_touch(struct engine *e, struct batch_mem *b)
{
    if (b->dirty)
        return;
    b->dirty = true;
    b->next_dirty = e->dirty_batches;
    e->dirty_batches = b;
}

void batch_live_changed(struct engine *e, struct batch_mem *b)
{
    b->live_changed = true;
    batch_touch(e, b);
}

/* Over when nothing is to come and every unit's outcome is handed on; a retry makes it go on. */
enum err batch_check_finished(struct engine *e, struct batch_mem *b)
{
    const struct batch_counts *c = &b->b.counts;
    if (b->b.loading || b->b.job != BATCH_JOB_NONE || b->b.finished_ms != 0 || c->delivered != c->units)
        return ERR_OK;
    b->b.finished_ms = e->now_ms;
    batch_live_changed(e, b);
    store_set_outbox(e->set, OUTBOX_WEBHOOK, b->b.id, NULL, e->now_ms);
    e->webhook_new = true;
    return ERR_OK;
}

enum err batch_check_failed(struct engine *e, struct batch_mem *b)
{
    if (b->failed_max < 0 || b->b.counts.failed <= b->failed_max || b->b.cancelled)
        return ERR_OK;
    enum err err = batch_do(e, b, ENGINE_BATCH_CANCEL);
    return err == ERR_CONFLICT || err == ERR_STALE ? ERR_OK
                                                   : err; /* another long job: the next failure tries again */
}

/* --- writing --- */

enum err batches_write(struct engine *e)
{
    for (struct batch_mem *b = e->dirty_batches; b; b = b->next_dirty) {
        bool active = b->b.finished_ms == 0 || b->b.job != BATCH_JOB_NONE;
        if (b->changed) {
            const char *name;
            struct text *labels = arena_alloc(&e->turn, sizeof *labels);
            TRY(labels ? ERR_OK : ERR_NOMEM);
            TRY(engine_text(&e->turn, b->b.name, &name));
            TRY(engine_bytes(&e->turn, &b->b.labels, labels));
            store_set_batch_change(e->set, b->b.id, b->b.priority, name, labels);
        }
        if (b->live_changed) {
            store_set_batch_live(e->set, &b->b, active, b->is_new);
            b->b.rev += !b->is_new;
            b->is_new = false;
        }
        static const struct batch_counts none = {0};
        if (memcmp(&b->added, &none, sizeof none) != 0) {
            struct batch_counts *added = arena_alloc(&e->turn, sizeof *added);
            TRY(added ? ERR_OK : ERR_NOMEM);
            *added = b->added;
            store_set_batch_counts(e->set, b->b.id, added);
        }
        b->added = none;
        b->dirty = b->live_changed = b->changed = false;
        if (active && !b->active)
            TRY(activate(e, b));
        if (!active && b->active)
            deactivate(e, b);
        b->active = active;
    }
    e->dirty_batches = NULL;
    for (uint32_t i = 0; i < e->failure_count; i++)
        store_set_failure(e->set, e->failures[i].batch, e->failures[i].hash, &e->failures[i].group);
    e->failure_count = 0;
    return ERR_OK;
}

/* --- making one --- */

static enum err units_open(struct engine *e, uint64_t user_id, uint64_t *ret)
{
    *ret = 0;
    for (uint32_t i = 0; i < e->active_count; i++) {
        const struct store_batch *b = &e->active[i]->b;
        if (b->user_id == user_id)
            *ret += (uint64_t)(b->counts.open + b->counts.judging) + (b->array ? b->array_count : 0u) -
                    (b->array ? (uint64_t)b->counts.units : 0u);
    }
    return ERR_OK;
}

static enum err make(struct engine *e, struct engine_request *r, struct engine_batch *q)
{
    struct buf BUF_AUTO order = {.bytes_max = BATCH_ORDER_BYTES_MAX}, BUF_AUTO rules = {0},
                        BUF_AUTO releases = {0};
    const char *rules_text, *releases_text;
    struct store_batch *b = arena_alloc(&e->turn, sizeof *b);
    struct batch_mem *mem;
    uint64_t id;
    if (!b)
        return ERR_NOMEM;
    TRY(store_take_ids(e->store, "batch", 1, &id));
    if (id > INT32_MAX)
        return err_set(ERR_FULL, "all %d numbers of batches are used", INT32_MAX);
    *b = q->batch;
    b->id = (uint32_t)id;
    b->created_ms = e->now_ms;
    b->rev = 0;
    b->loading = !b->array;
    b->paused =
        q->stage && q->stage->kind == STAGE_OWN && q->stage->active; /* until what it needs is there */
    b->cancelled = b->purged = b->frozen = b->archived = false;
    b->job = b->array ? BATCH_JOB_ARRAY : BATCH_JOB_NONE;
    b->job_next = 0;
    b->finished_ms = 0;
    b->counts = (struct batch_counts){0};
    enum err err = q->order(q->order_ctx, b->id, &order);
    if (err != ERR_OK) {
        engine_fail(r, err);
        return ERR_OK;
    }
    b->order_digest = hash_bytes(order.data, order.len);
    struct text text = {.data = order.data, .len = (uint32_t)order.len};
    TRY(engine_bytes(&e->turn, &text, &b->order));
    TRY(store_batch_rules_text(&b->rules, &b->trust, &rules));
    TRY(store_batch_releases_text(b, &releases));
    TRY(engine_text(&e->turn, buf_text(&rules), &rules_text));
    TRY(engine_text(&e->turn, buf_text(&releases), &releases_text));
    store_set_batch_new(e->set, b, rules_text, releases_text);
    TRY(keep(e, b, &mem));
    mem->is_new = true;
    mem->windows[1].all = true;
    TRY(route_keep(e, b->id, q));
    if (q->stage)
        TRY(stage_keep(e, b->id, q->stage));
    batch_live_changed(e, mem);
    e->project.batches++;
    q->ret_batch = b->id;
    return ERR_OK;
}

enum err on_batch(struct engine *e, struct engine_request *r)
{
    struct engine_batch *q = &r->u.batch;
    uint64_t numbers[REPLAY_NUMBERS] = {0}, open;
    bool known;
    TRY(replay_find(e, r, numbers, &known));
    if (known || r->err != ERR_OK) {
        q->ret_batch = (uint32_t)numbers[0];
        return ERR_OK;
    }
    enum err err = wu_rules_check(&q->batch.rules);
    if (err != ERR_OK) {
        engine_fail(r, err);
        return ERR_OK;
    }
    TRY(units_open(e, r->user_id, &open));
    if (q->units_max > 0 && open + q->batch.array_count > q->units_max) {
        engine_fail(
            r,
            err_set(ERR_LIMIT,
                    "you may have %llu units that are not finished and have %llu: wait for some, or ask the "
                    "operator for more",
                    (unsigned long long)q->units_max, (unsigned long long)open));
        return ERR_OK;
    }
    struct stream_mem *stream = NULL;
    if (q->from_stream)
        TRY(stream_find(e, q->from_stream, q->batch.user_id, &stream));
    if (q->from_stream && !stream) {
        engine_fail(r, err_set(ERR_LIMIT, "there are %d streams already: delete one first", STREAMS_MAX));
        return ERR_OK;
    }
    TRY(make(e, r, q));
    if (r->err != ERR_OK)
        return ERR_OK;
    numbers[0] = q->ret_batch;
    engine_audit(e, r, "batch.create", q->ret_batch);
    return replay_keep(e, r, numbers);
}

/* --- adding units --- */

void batch_count_new(struct engine *e, struct batch_mem *b, int64_t units)
{
    int64_t unsent = units * (int64_t)b->b.rules.target_attempts;
    b->b.counts.units += units;
    b->b.counts.open += units;
    b->b.counts.unsent += unsent;
    b->added.units += units;
    b->added.open += units;
    b->added.unsent += unsent;
    e->project.units += units;
    e->project.unsent += unsent;
    b->windows[0].all = false;
    e->work_ms = e->now_ms;
    e->units_new = true;
    batch_touch(e, b);
}

enum err on_units(struct engine *e, struct engine_request *r)
{
    struct engine_units *q = &r->u.units;
    struct batch_mem *b;
    TRY(batch_find(e, q->batch, &b));
    enum err err = ERR_OK;
    if (!b)
        err = err_set(ERR_MISSING, "there is no batch %u", q->batch);
    else if (!b->b.loading)
        err = err_set(ERR_STALE, "batch %u is closed, nothing can be added to it", q->batch);
    else if ((q->ret_next = (uint32_t)b->b.counts.units) != q->first)
        err = err_set(ERR_CONFLICT, "batch %u has %u units: go on with the one after them", q->batch,
                      q->ret_next);
    else if ((uint64_t)q->first + q->count > BATCH_UNITS_MAX)
        err = err_set(ERR_LIMIT, "a batch takes %u units at most", BATCH_UNITS_MAX);
    bool moved = true;
    if (err == ERR_OK && q->feed_stream)
        TRY(cursor_feed(e, q, &moved));
    if (!moved)
        err = err_set(ERR_CONFLICT, "the records were taken already");
    if (err != ERR_OK) {
        engine_fail(r, err);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < q->count; i++)
        store_set_unit_new(e->set, wu_id_make(q->batch, q->first + i), &q->specs[i]);
    batch_count_new(e, b, q->count);
    q->ret_next = q->first + q->count;
    /* The specs are the request's: they must be written while it is alive. */
    TRY(engine_flush(e));
    if (q->taken_count == 0)
        return ERR_OK;
    TRY(units_take(e, q->batch, q->first, q->taken, q->taken_count));
    return engine_flush(e);
}
