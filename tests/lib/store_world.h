/* store_world.h - a store of any kind with what a test needs around it. */
#ifndef TESTS_LIB_STORE_WORLD_H
#define TESTS_LIB_STORE_WORLD_H

#include <string.h>

#include "lib/database.h"
#include "server/store_load.h"
#include "server/store_set.h"

struct world {
    struct databases *databases;
    char where[DATABASE_WHERE_BYTES];
    struct store *store;
    struct store_set *set;
    struct arena arena;
};

static inline void world_open(struct world *w, void **state)
{
    *w = (struct world){.databases = *state, .set = store_set_new()};
    assert_non_null(w->set);
    database_new(w->databases, w->where);
    assert_ok(store_open(w->where, &w->store));
}

static inline void world_close(struct world *w)
{
    store_close(w->store);
    store_set_free(w->set);
    arena_done(&w->arena);
}

static inline enum err world_try(struct world *w)
{
    assert_ok(store_begin(w->store, true));
    enum err e = store_set_write(w->store, w->set);
    if (e == ERR_OK)
        e = store_commit(w->store);
    if (e != ERR_OK)
        store_rollback(w->store);
    return e;
}

/* One turn: all that was told to the set. */
static inline void world_write(struct world *w)
{
    assert_ok(world_try(w));
}

static inline struct text text_of(const char *s)
{
    return (struct text){.data = s, .len = s ? (uint32_t)strlen(s) : 0};
}

static inline struct digest digest_of(const char *s)
{
    return hash_bytes(s, strlen(s));
}

static inline void assert_text(struct text got, const char *wanted)
{
    assert_non_null(got.data);
    assert_string_equal(got.data, wanted);
    assert_int_equal(got.len, strlen(wanted));
}

static inline struct wu_rules world_rules(void)
{
    return (struct wu_rules){.quorum = 2,
                             .target_attempts = 3,
                             .errors_max = 4,
                             .attempts_max = 8,
                             .successes_max = 6,
                             .lease_ms = 90000,
                             .compare = WU_COMPARE_JUDGE};
}

/* A batch whose fields are all set, differently for each id. */
static inline struct store_batch world_batch(uint32_t id, uint64_t user_id)
{
    char order[32];
    snprintf(order, sizeof order, "order %u", id);
    struct store_batch b = {.id = id,
                            .user_id = user_id,
                            .name = "a name",
                            .app = "pi",
                            .version = 3,
                            .priority = -5,
                            .order_digest = digest_of(order),
                            .order = text_of("{\"order\":1}"),
                            .labels = text_of("[\"x\"]"),
                            .policy = text_of("{\"p\":1}"),
                            .request = text_of("{\"r\":\"å\"}"),
                            .rules = world_rules(),
                            .release_count = 2,
                            .needs_memory_bytes = 1ull << 40,
                            .needs_disk_bytes = 7,
                            .needs_features = "avx2 sse4",
                            .hr_kind = "cpu",
                            .cost = 12.25,
                            .array = true,
                            .array_first = -10,
                            .array_step = 5,
                            .array_count = 1000,
                            .created_ms = 1000 + id,
                            .loading = true,
                            .job = BATCH_JOB_ARRAY,
                            .job_next = 17};
    b.releases[0] = (struct batch_release){"x86_64-linux", digest_of("r0"), digest_of("b0")};
    b.releases[1] = (struct batch_release){"aarch64-linux", digest_of("r1"), digest_of("b1")};
    return b;
}

static inline void world_batch_new(struct world *w, const struct store_batch *b, bool active)
{
    struct buf BUF_AUTO rules = {0}, BUF_AUTO releases = {0};
    assert_ok(store_batch_rules_text(&b->rules, &b->trust, &rules));
    assert_ok(store_batch_releases_text(b, &releases));
    store_set_batch_new(w->set, b, arena_text(&w->arena, buf_text(&rules)),
                        arena_text(&w->arena, buf_text(&releases)));
    store_set_batch_live(w->set, b, active, true);
}

/* A batch of an array with `units` units, written. */
static inline void world_units(struct world *w, uint32_t batch, uint32_t units)
{
    struct store_batch b = world_batch(batch, 1);
    struct text none = {0};
    world_batch_new(w, &b, true);
    for (uint32_t i = 0; i < units; i++)
        store_set_unit_new(w->set, wu_id_make(batch, i), &none);
    world_write(w);
}

/* A change that touches nothing but what every change does. */
static inline struct store_unit_change world_change(wu_id id, uint32_t rev)
{
    return (struct store_unit_change){
        .id = id, .rev = rev, .state = WU_OPEN, .wake_ms = INT64_MAX, .ready = -1};
}

#endif
