/* What is written into a store comes back: each kind of write, each read, over every database. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "rules/wu_codec.h"
#include "rules/wu_history.h"
#include "server/unit_row.h"

/* --- units --- */

struct rows {
    uint32_t count;
    struct store_unit_row rows[64];
    char bytes[64][64];
};

static enum err keep_row(void *ctx, const struct store_unit_row *row)
{
    struct rows *r = ctx;
    assert_true(r->count < 64 && row->life.len < 64);
    r->rows[r->count] = *row;
    memcpy(r->bytes[r->count], row->life.data, row->life.len);
    r->rows[r->count].life.data = r->bytes[r->count];
    r->count++;
    return ERR_OK;
}

static struct store_unit_rows into(struct rows *r)
{
    r->count = 0;
    return (struct store_unit_rows){.row = keep_row, .ctx = r};
}

static int by_id(const void *x, const void *y)
{
    const struct store_unit_row *a = x, *b = y;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void assert_indexes(struct rows *r, const uint32_t *wanted, uint32_t count)
{
    assert_int_equal(r->count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(wu_id_index(r->rows[i].id), wanted[i]);
}
#define ASSERT_INDEXES(r, ...)                                                                               \
    assert_indexes((r), (const uint32_t[]){__VA_ARGS__},                                                     \
                   sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void a_unit_that_was_submitted_is_open_and_has_its_spec_and_first_line(void **state)
{
    struct world w;
    struct store_unit u;
    world_open(&w, state);
    struct store_batch b = world_batch(5, 1);
    struct text none = {0}, tail = text_of("\"vars\":{\"x\":\"blåbær\"},\"inputs\":[]}");
    world_batch_new(&w, &b, true);
    store_set_unit_new(w.set, wu_id_make(5, 0), &none);
    store_set_unit_new(w.set, wu_id_make(5, 3), &tail);
    world_write(&w);
    assert_true(store_set_is_empty(w.set));
    assert_ok(store_unit_get(w.store, &w.arena, wu_id_make(5, 0), &u));
    assert_int_equal(u.wu.id, wu_id_make(5, 0));
    assert_int_equal(u.wu.state, WU_OPEN);
    assert_int_equal(u.wu.attempt_count, 3);
    assert_int_equal(u.wu.rules.lease_ms, 90000);
    assert_text(u.spec, "{\"unit\":\"5.0\",\"vars\":{\"\":\"-10\"},\"inputs\":[]}");
    assert_text(u.history, "[\"submit\",0]\n");
    assert_ok(store_unit_get(w.store, &w.arena, wu_id_make(5, 3), &u));
    assert_text(u.spec, "{\"unit\":\"5.3\",\"vars\":{\"x\":\"blåbær\"},\"inputs\":[]}");
    assert_err(store_unit_get(w.store, &w.arena, wu_id_make(5, 1), &u), ERR_MISSING);
    assert_non_null(strstr(err_text(), "5.1"));
    assert_err(store_unit_get(w.store, &w.arena, wu_id_make(6, 0), &u), ERR_MISSING);
    world_close(&w);
}

/* Moves a unit as the engine does: life, history and what was used in one write. */
static void apply(struct world *w, struct wu *wu, uint32_t rev, struct wu_event ev)
{
    struct wu_effects fx;
    uint8_t life[WU_BYTES_MAX], used[UNIT_USE_BYTES_MAX];
    char line[WU_HISTORY_BYTES_MAX + 1];
    struct store_attempt_use use = {.cpu_ms = 10 + rev, .wall_ms = 20, .memory_bytes = 4096};
    assert_ok(wu_step(wu, &ev, &fx));
    size_t len = wu_history_write(&ev, 0, line);
    line[len++] = '\n';
    uint32_t used_len = unit_use_write(ev.attempt, &use, used);
    size_t life_len = wu_encode(wu, life);
    struct store_unit_change c = world_change(wu->id, rev);
    c.state = wu->state;
    c.life = (struct text){.data = (const char *)life, .len = (uint32_t)life_len};
    c.history = (struct text){.data = line, .len = (uint32_t)len};
    c.used = (struct text){.data = (const char *)used, .len = ev.kind == WU_EV_REPORT ? used_len : 0};
    c.wake_ms = wu->wake_at_ms;
    c.set_wake = true;
    store_set_unit(w->set, &c);
    world_write(w);
}

static void a_units_life_history_and_use_grow_with_each_change(void **state)
{
    struct world w;
    struct store_unit u;
    struct digest answer = digest_of("answer");
    world_open(&w, state);
    world_units(&w, 5, 1);
    struct wu wu = {.id = wu_id_make(5, 0), .rules = world_rules()};
    assert_ok(store_unit_fresh(&wu));
    apply(&w, &wu, 0,
          (struct wu_event){.kind = WU_EV_LEASE, .attempt = 1, .host_id = 8, .owner_id = 9, .now_ms = 100});
    apply(
        &w, &wu, 1,
        (struct wu_event){.kind = WU_EV_REPORT, .attempt = 1, .host_id = 8, .answer = answer, .now_ms = 200});
    assert_ok(store_unit_get(w.store, &w.arena, wu.id, &u));
    assert_int_equal(u.wu.attempts[1].state, ATTEMPT_REPORTED);
    assert_int_equal(u.wu.attempts[1].host_id, 8);
    assert_true(digest_eq(&u.wu.attempts[1].answer, &answer));
    assert_int_equal(u.wu.wake_at_ms, wu.wake_at_ms);
    assert_memory_equal(&u.wu, &wu, sizeof wu);
    assert_string_equal(strstr(u.history.data, "[\"lease\""), strchr(u.history.data, '\n') + 1);
    assert_non_null(strstr(u.history.data, "]\n[\"report\",200,1,8,"));
    assert_int_equal(u.use[1].cpu_ms, 11);
    assert_int_equal(u.use[1].memory_bytes, 4096);
    assert_int_equal(u.use[0].wall_ms, 0);
    world_close(&w);
}

static void the_engine_reads_units_by_id_and_by_range(void **state)
{
    struct world w;
    static struct rows r;
    world_open(&w, state);
    world_units(&w, 5, 6);
    world_units(&w, 6, 2);
    struct store_unit_change c = world_change(wu_id_make(5, 2), 0);
    c.hr = 77;
    c.life = text_of("life");
    c.set_wake = true;
    c.wake_ms = 123;
    store_set_unit(w.set, &c);
    world_write(&w);
    const wu_id ids[] = {wu_id_make(5, 2), wu_id_make(9, 9), wu_id_make(6, 1)};
    assert_ok(store_units_load(w.store, &w.arena, ids, 3, into(&r)));
    qsort(r.rows, r.count, sizeof *r.rows, by_id);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.rows[0].id, ids[0]);
    assert_int_equal(r.rows[0].rev, 1);
    assert_int_equal(r.rows[0].hr, 77);
    assert_int_equal(r.rows[0].wake_ms, 123);
    assert_true(r.rows[0].waking && !r.rows[0].failed);
    assert_memory_equal(r.rows[0].life.data, "life", 4);
    assert_int_equal(r.rows[1].rev, 0);
    assert_int_equal(r.rows[1].life.len, 0);
    assert_int_equal(r.rows[1].wake_ms, INT64_MAX);
    assert_ok(store_range_scan(w.store, 5, false, 0, 100, into(&r)));
    ASSERT_INDEXES(&r, 0, 1, 2, 3, 4, 5);
    assert_ok(store_range_scan(w.store, 5, false, wu_id_make(5, 1), 3, into(&r)));
    ASSERT_INDEXES(&r, 2, 3, 4);
    assert_ok(store_specs_scan(w.store, wu_id_make(5, 0), wu_id_make(5, 3), into(&r)));
    ASSERT_INDEXES(&r, 0, 1, 2, 3);
    world_close(&w);
}

static void set_ready(struct world *w, uint32_t index, uint32_t rev, int ready, enum wu_failure failure)
{
    struct store_unit_change c = world_change(wu_id_make(5, index), rev);
    c.set_ready = true;
    c.ready = ready;
    c.failure = failure;
    c.state = failure == WU_FAILURE_NONE ? WU_OPEN : WU_FAILED;
    store_set_unit(w->set, &c);
}

static void units_with_attempts_to_send_are_found_by_whether_some_were_sent(void **state)
{
    struct world w;
    static struct rows r;
    world_open(&w, state);
    world_units(&w, 4, 2);
    world_units(&w, 5, 7);
    world_units(&w, 6, 2);
    set_ready(&w, 1, 0, 1, WU_FAILURE_NONE);
    set_ready(&w, 3, 0, -1, WU_FAILURE_NONE);
    set_ready(&w, 5, 0, 1, WU_FAILURE_NONE);
    world_write(&w);
    assert_ok(store_ready_scan(w.store, 5, false, 0, 100, into(&r)));
    ASSERT_INDEXES(&r, 0, 2, 4, 6);
    assert_ok(store_ready_scan(w.store, 5, false, wu_id_make(5, 0), 2, into(&r)));
    ASSERT_INDEXES(&r, 2, 4);
    assert_ok(store_ready_scan(w.store, 5, true, 0, 100, into(&r)));
    ASSERT_INDEXES(&r, 1, 5);
    assert_ok(store_ready_scan(w.store, 4, true, 0, 100, into(&r)));
    assert_int_equal(r.count, 0);
    world_close(&w);
}

static void units_are_woken_in_the_order_of_their_time(void **state)
{
    struct world w;
    static struct rows r;
    int64_t next;
    world_open(&w, state);
    world_units(&w, 5, 4);
    assert_ok(store_wake_next(w.store, &next));
    assert_int_equal(next, INT64_MAX);
    for (uint32_t i = 0; i < 4; i++) {
        struct store_unit_change c = world_change(wu_id_make(5, i), 0);
        c.set_wake = true;
        c.wake_ms = i == 2 ? INT64_MAX : 400 - 100 * (int64_t)i;
        c.set_ready = i == 3; /* both in one write */
        c.ready = 1;
        store_set_unit(w.set, &c);
    }
    world_write(&w);
    assert_ok(store_wake_next(w.store, &next));
    assert_int_equal(next, 100);
    assert_ok(store_wake_scan(w.store, 300, 100, into(&r)));
    ASSERT_INDEXES(&r, 3, 1);
    assert_ok(store_wake_scan(w.store, INT64_MAX - 1, 2, into(&r)));
    ASSERT_INDEXES(&r, 3, 1);
    assert_ok(store_wake_scan(w.store, 99, 100, into(&r)));
    assert_int_equal(r.count, 0);
    assert_ok(store_ready_scan(w.store, 5, true, 0, 100, into(&r)));
    ASSERT_INDEXES(&r, 3);
    world_close(&w);
}

static void assert_listed(struct world *w, const struct store_unit_filter *f, wu_id after, uint32_t limit,
                          const uint32_t *wanted, uint32_t wanted_count, bool more)
{
    struct store_unit *units;
    uint32_t count;
    wu_id next;
    assert_ok(store_unit_list(w->store, &w->arena, 5, f, after, limit, &units, &count, &next));
    assert_int_equal(count, wanted_count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(wu_id_index(units[i].wu.id), wanted[i]);
    assert_int_equal(next != 0, more);
    if (more && count)
        assert_true(next >= units[count - 1].wu.id);
}
#define ASSERT_LISTED(w, f, after, limit, more, ...)                                                         \
    assert_listed((w), (f), (after), (limit), (const uint32_t[]){__VA_ARGS__},                               \
                  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (more))

static void fail_unit(struct world *w, uint32_t index, enum wu_failure failure)
{
    struct wu wu = {.id = wu_id_make(5, index), .rules = world_rules()};
    struct wu_event ev = {.kind = WU_EV_CANCEL, .now_ms = 5};
    struct wu_effects fx;
    uint8_t life[WU_BYTES_MAX];
    assert_ok(store_unit_fresh(&wu));
    assert_ok(wu_step(&wu, &ev, &fx));
    struct store_unit_change c = world_change(wu.id, 0);
    c.state = wu.state;
    c.set_ready = true;
    c.failure = failure;
    size_t len = wu_encode(&wu, life);
    c.life = (struct text){.data = arena_bytes(&w->arena, life, len), .len = (uint32_t)len};
    store_set_unit(w->set, &c);
}

static void people_list_units_page_by_page_by_state_and_by_failure(void **state)
{
    struct world w;
    static struct rows r;
    world_open(&w, state);
    world_units(&w, 4, 1);
    world_units(&w, 5, 10);
    world_units(&w, 6, 1);
    fail_unit(&w, 7, WU_FAILURE_CANCELLED);
    fail_unit(&w, 2, WU_FAILURE_ERRORS);
    fail_unit(&w, 4, WU_FAILURE_CANCELLED);
    fail_unit(&w, 9, WU_FAILURE_JUDGE);
    world_write(&w);
    struct store_unit_filter any = {.state = WU_STATES}, open = {.state = WU_OPEN},
                             failed = {.state = WU_STATES, .failed = true}, judging = {.state = WU_JUDGING};
    ASSERT_LISTED(&w, &any, 0, 4, true, 0, 1, 2, 3);
    ASSERT_LISTED(&w, &any, wu_id_make(5, 7), 4, false, 8, 9);
    ASSERT_LISTED(&w, &open, 0, 4, true, 0, 1, 3, 5);
    ASSERT_LISTED(&w, &open, wu_id_make(5, 5), 4, false, 6, 8);
    ASSERT_LISTED(&w, &failed, 0, 3, true, 2, 4, 7);
    ASSERT_LISTED(&w, &failed, wu_id_make(5, 7), 3, false, 9);
    assert_listed(&w, &judging, 0, 4, NULL, 0, false);
    assert_ok(store_range_scan(w.store, 5, true, 0, 100, into(&r)));
    qsort(r.rows, r.count, sizeof *r.rows, by_id);
    ASSERT_INDEXES(&r, 2, 4, 7, 9);
    assert_true(r.rows[0].failed);
    world_close(&w);
}

static void a_rare_state_is_found_by_going_on_over_empty_pages(void **state)
{
    enum { UNITS = 6000 };
    struct world w;
    struct store_unit *units;
    struct store_unit_filter judging = {.state = WU_JUDGING};
    uint32_t count, found = 0, pages = 0;
    wu_id next = 0;
    world_open(&w, state);
    world_units(&w, 5, UNITS);
    struct store_unit_change c = world_change(wu_id_make(5, UNITS - 2), 0);
    c.state = WU_JUDGING;
    store_set_unit(w.set, &c);
    world_write(&w);
    do {
        assert_ok(store_unit_list(w.store, &w.arena, 5, &judging, next, 10, &units, &count, &next));
        found += count;
        assert_true(++pages < 4);
    } while (next);
    assert_int_equal(found, 1);
    world_close(&w);
}

static void a_chunk_is_replaced_by_its_number(void **state)
{
    struct world w;
    struct text one = text_of("one"), two = text_of("two"), got;
    world_open(&w, state);
    store_set_chunk(w.set, 5, 1, &one);
    store_set_chunk(w.set, 5, 2, &one);
    world_write(&w);
    store_set_chunk(w.set, 5, 1, &two);
    world_write(&w);
    assert_ok(store_chunk_get(w.store, &w.arena, 5, 1, &got));
    assert_text(got, "two");
    assert_ok(store_chunk_get(w.store, &w.arena, 5, 2, &got));
    assert_text(got, "one");
    assert_err(store_chunk_get(w.store, &w.arena, 6, 1, &got), ERR_MISSING);
    world_close(&w);
}

static void sum_lease(void *ctx, const struct store_lease *l)
{
    *(uint64_t *)ctx += l->host_id * 1000000 + l->unit * 1000 + l->attempt * 100 + (uint64_t)l->deadline_ms;
}

static void leases_come_and_go_and_are_listed_by_host(void **state)
{
    struct world w;
    struct store_lease *leases;
    uint32_t count;
    uint64_t sum = 0;
    world_open(&w, state);
    for (uint64_t host = 1; host <= 2; host++)
        for (wu_id unit = 1; unit <= 3; unit++)
            store_set_lease(w.set, &(struct store_lease){host, unit, 0, 10});
    world_write(&w);
    store_set_lease(w.set, &(struct store_lease){1, 2, 3, 20});
    store_set_lease_end(w.set, 1, 1);
    store_set_lease_end(w.set, 7, 7); /* not there: nothing happens */
    world_write(&w);
    assert_ok(store_lease_list(w.store, &w.arena, 1, 0, 10, &leases, &count));
    assert_int_equal(count, 2);
    assert_int_equal(leases[0].unit, 2);
    assert_int_equal(leases[0].attempt, 3);
    assert_int_equal(leases[0].deadline_ms, 20);
    assert_ok(store_lease_list(w.store, &w.arena, 2, 1, 1, &leases, &count));
    assert_int_equal(count, 1);
    assert_int_equal(leases[0].unit, 2);
    const uint64_t hosts[] = {1, 9};
    assert_ok(store_leases_load(w.store, &w.arena, hosts, 2, sum_lease, &sum));
    assert_int_equal(sum, 2 * 1000000 + 5 * 1000 + 300 + 30);
    world_close(&w);
}

static void what_hosts_say_of_attempts_is_kept_and_grouped(void **state)
{
    struct world w;
    struct store_note *notes;
    struct store_failure_group *groups;
    uint64_t *hashes;
    uint32_t count;
    world_open(&w, state);
    struct store_note note = {.unit = 7,
                              .attempt = 2,
                              .host_id = 3,
                              .error = ATTEMPT_ERROR_EXIT,
                              .exit_code = -4,
                              .signal = 11,
                              .message = "it ended",
                              .stderr_tail = "oh\nno",
                              .at_ms = 99};
    store_set_note(w.set, &note);
    note.attempt = 0;
    store_set_note(w.set, &note);
    struct store_failure_group g = {.error = ATTEMPT_ERROR_SIGNAL,
                                    .exit_code = 1,
                                    .signal = 6,
                                    .pattern = "at #",
                                    .count = 2,
                                    .sample_unit = 7,
                                    .sample_attempt = 1,
                                    .last_ms = 5};
    store_set_failure(w.set, 5, UINT64_MAX - 1, &g);
    store_set_failure(w.set, 5, 1, &g);
    store_set_failure(w.set, 6, 1, &g);
    world_write(&w);
    g.count = 3;
    g.sample_unit = 8;
    g.last_ms = 6;
    store_set_failure(w.set, 5, 1, &g);
    world_write(&w);
    assert_ok(store_note_list(w.store, &w.arena, 7, &notes, &count));
    assert_int_equal(count, 2);
    assert_int_equal(notes[1].attempt, 2);
    assert_int_equal(notes[1].host_id, 3);
    assert_int_equal(notes[1].error, ATTEMPT_ERROR_EXIT);
    assert_int_equal(notes[1].exit_code, -4);
    assert_int_equal(notes[1].signal, 11);
    assert_string_equal(notes[1].message, "it ended");
    assert_string_equal(notes[1].stderr_tail, "oh\nno");
    assert_int_equal(notes[1].at_ms, 99);
    assert_ok(store_failure_list(w.store, &w.arena, 5, 10, &groups, &count));
    assert_int_equal(count, 2);
    assert_int_equal(groups[0].count, 5);
    assert_int_equal(groups[0].error, ATTEMPT_ERROR_SIGNAL);
    assert_int_equal(groups[0].sample_unit, 8);
    assert_int_equal(groups[0].last_ms, 6);
    assert_string_equal(groups[0].pattern, "at #");
    assert_int_equal(groups[1].count, 2);
    assert_ok(store_failure_list(w.store, &w.arena, 5, 1, &groups, &count));
    assert_int_equal(count, 1);
    assert_int_equal(groups[0].count, 5);
    assert_ok(store_failures_known(w.store, &w.arena, 5, 10, &hashes, &count));
    assert_int_equal(count, 2);
    assert_true(hashes[0] + hashes[1] == UINT64_MAX);
    world_close(&w);
}

static void a_small_file_is_kept_once_within_its_batch(void **state)
{
    struct world w;
    struct text bytes = {.data = "a\0b", .len = 3}, other = text_of("other"), got;
    struct digest d = digest_of("x");
    world_open(&w, state);
    store_set_small(w.set, 5, &d, &bytes);
    world_write(&w);
    store_set_small(w.set, 5, &d, &other);
    store_set_small(w.set, 6, &d, &other);
    world_write(&w);
    assert_ok(store_small_get(w.store, &w.arena, 5, &d, &got));
    assert_int_equal(got.len, 3);
    assert_memory_equal(got.data, "a\0b", 3);
    assert_ok(store_small_get(w.store, &w.arena, 6, &d, &got));
    assert_text(got, "other");
    assert_err(store_small_get(w.store, &w.arena, 7, &d, &got), ERR_MISSING);
    world_close(&w);
}

static void deliveries_are_numbered_within_each_stream_in_the_order_they_were_told(void **state)
{
    struct world w;
    struct store_delivery *list;
    uint32_t count;
    world_open(&w, state);
    for (wu_id unit = 1; unit <= 5; unit++)
        store_set_delivery(w.set, unit % 2 ? 9 : 2, 10 - unit, (int64_t)unit);
    world_write(&w);
    store_set_delivery(w.set, 9, 77, 8);
    world_write(&w);
    assert_ok(store_delivery_list(w.store, &w.arena, 9, 0, 10, &list, &count));
    assert_int_equal(count, 4);
    const wu_id units[] = {9, 7, 5, 77};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(list[i].stream, 9);
        assert_int_equal(list[i].seq, i + 1);
        assert_int_equal(list[i].unit, units[i]);
    }
    assert_int_equal(list[1].at_ms, 3);
    assert_ok(store_delivery_list(w.store, &w.arena, 2, 1, 10, &list, &count));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].seq, 2);
    assert_int_equal(list[0].unit, 6);
    world_close(&w);
}

/* --- batches --- */

static void every_field_of_a_batch_comes_back(void **state)
{
    struct world w;
    struct store_batch b = world_batch(5, 3), got;
    world_open(&w, state);
    world_batch_new(&w, &b, true);
    world_write(&w);
    assert_ok(store_batch_get(w.store, &w.arena, 5, &got));
    assert_int_equal(got.user_id, 3);
    assert_string_equal(got.name, "a name");
    assert_string_equal(got.app, "pi");
    assert_int_equal(got.version, 3);
    assert_int_equal(got.priority, -5);
    assert_true(digest_eq(&got.order_digest, &b.order_digest));
    assert_text(got.order, "{\"order\":1}");
    assert_text(got.labels, "[\"x\"]");
    assert_text(got.policy, "{\"p\":1}");
    assert_text(got.request, "{\"r\":\"å\"}");
    assert_memory_equal(&got.rules, &b.rules, sizeof b.rules);
    assert_int_equal(got.release_count, 2);
    assert_string_equal(got.releases[1].platform, "aarch64-linux");
    assert_true(digest_eq(&got.releases[1].release, &b.releases[1].release));
    assert_true(digest_eq(&got.releases[1].bundle, &b.releases[1].bundle));
    assert_true(got.needs_memory_bytes == 1ull << 40 && got.needs_disk_bytes == 7);
    assert_string_equal(got.needs_features, "avx2 sse4");
    assert_string_equal(got.hr_kind, "cpu");
    assert_true(got.cost == 12.25 && got.array && got.array_first == -10 && got.array_step == 5);
    assert_true(got.array_count == 1000 && got.created_ms == 1005);
    assert_true(got.loading && !got.paused && !got.cancelled && !got.purged && got.rev == 0);
    assert_true(got.job == BATCH_JOB_ARRAY && got.job_next == 17 && got.finished_ms == 0);
    assert_int_equal(got.counts.units, 0);
    struct text order;
    assert_ok(store_order_get(w.store, &w.arena, &b.order_digest, &order));
    assert_text(order, "{\"order\":1}");
    struct digest other = digest_of("other");
    assert_err(store_order_get(w.store, &w.arena, &other, &order), ERR_MISSING);
    assert_err(store_batch_get(w.store, &w.arena, 6, &got), ERR_MISSING);
    world_close(&w);
}

static void a_batch_changes_what_may_change(void **state)
{
    struct world w;
    struct store_batch b = world_batch(5, 3), got;
    struct text labels = text_of("[]");
    world_open(&w, state);
    world_batch_new(&w, &b, true);
    world_write(&w);
    store_set_batch_change(w.set, 5, 8, "new", &labels);
    b.loading = false;
    b.paused = b.cancelled = b.purged = true;
    b.job = BATCH_JOB_PURGE;
    b.job_next = UINT32_MAX;
    b.finished_ms = 12345;
    store_set_batch_live(w.set, &b, false, false);
    store_set_batch_counts(w.set, 5, &(struct batch_counts){.units = 5, .cpu_ms = 1ll << 40});
    world_write(&w);
    store_set_batch_counts(w.set, 5, &(struct batch_counts){.units = -2, .output_bytes = 9});
    world_write(&w);
    assert_ok(store_batch_get(w.store, &w.arena, 5, &got));
    assert_int_equal(got.priority, 8);
    assert_string_equal(got.name, "new");
    assert_text(got.labels, "[]");
    assert_true(!got.loading && got.paused && got.cancelled && got.purged && got.rev == 1);
    assert_true(got.job == BATCH_JOB_PURGE && got.job_next == UINT32_MAX && got.finished_ms == 12345);
    assert_true(got.counts.units == 3 && got.counts.cpu_ms == 1ll << 40 && got.counts.output_bytes == 9);
    assert_string_equal(store_batch_state(&got), "cancelled");
    world_close(&w);
}

static void assert_batches(const struct store_batch *b, uint32_t count, const uint32_t *wanted,
                           uint32_t wanted_count)
{
    assert_int_equal(count, wanted_count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(b[i].id, wanted[i]);
        assert_int_equal(b[i].created_ms, 1000 + wanted[i]);
    }
}
#define ASSERT_BATCHES(b, count, ...)                                                                        \
    assert_batches((b), (count), (const uint32_t[]){__VA_ARGS__},                                            \
                   sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void batches_are_listed_newest_first_and_active_ones_in_order(void **state)
{
    struct world w;
    struct store_batch *list;
    uint32_t count;
    world_open(&w, state);
    for (uint32_t id = 1; id <= 6; id++) {
        struct store_batch b = world_batch(id, 1 + id % 2);
        world_batch_new(&w, &b, id % 3 != 0);
        world_write(&w);
    }
    assert_ok(store_batch_list(w.store, &w.arena, 0, 0, 4, &list, &count));
    ASSERT_BATCHES(list, count, 6, 5, 4, 3);
    assert_ok(store_batch_list(w.store, &w.arena, 0, 3, 4, &list, &count));
    ASSERT_BATCHES(list, count, 2, 1);
    assert_ok(store_batch_list(w.store, &w.arena, 2, 0, 2, &list, &count));
    ASSERT_BATCHES(list, count, 5, 3);
    assert_ok(store_batch_list(w.store, &w.arena, 2, 3, 2, &list, &count));
    ASSERT_BATCHES(list, count, 1);
    assert_ok(store_batch_list(w.store, &w.arena, 9, 0, 2, &list, &count));
    assert_int_equal(count, 0);
    assert_ok(store_batches_active(w.store, &w.arena, 0, 3, &list, &count));
    ASSERT_BATCHES(list, count, 1, 2, 4);
    assert_ok(store_batches_active(w.store, &w.arena, 4, 3, &list, &count));
    ASSERT_BATCHES(list, count, 5);
    world_close(&w);
}

static void the_same_order_twice_is_a_conflict(void **state)
{
    struct world w;
    struct store_batch a = world_batch(5, 3), b = world_batch(6, 3);
    world_open(&w, state);
    world_batch_new(&w, &a, true);
    world_write(&w);
    b.order_digest = a.order_digest;
    world_batch_new(&w, &b, true);
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_err(store_batch_get(w.store, &w.arena, 6, &b), ERR_MISSING);
    world_close(&w);
}

/* --- hosts and people --- */

static struct store_host host_of(uint64_t id, uint64_t volunteer)
{
    return (struct store_host){.id = id,
                               .volunteer_id = volunteer,
                               .nickname = "box",
                               .platform = "x86_64-linux",
                               .os = "Debian 12",
                               .cpu = "A Processor",
                               .client = "0.1",
                               .hr_class = "intel",
                               .features = "avx2",
                               .cores = 64,
                               .memory_bytes = 1ull << 36,
                               .disk_bytes = 1ull << 42,
                               .speed = 1.75,
                               .banned = true,
                               .ban_reason = "lies",
                               .created_ms = 44};
}

static void a_host_and_what_it_did_are_kept_apart_and_read_together(void **state)
{
    struct world w;
    struct store_host h = host_of(3, 8), got;
    world_open(&w, state);
    store_set_host(w.set, &h);
    struct store_host_stat st = {.id = 3,
                                 .seen_ms = 50,
                                 .allowed = 4,
                                 .pace = text_of("pace"),
                                 .leased = 5,
                                 .valid = 1,
                                 .invalid = 2,
                                 .errors = 3,
                                 .expired = 4,
                                 .reports = 6,
                                 .credit_micro = 1500000};
    store_set_host_stat(w.set, &st);
    world_write(&w);
    h.banned = false;
    h.left = true;
    h.ban_reason = "";
    h.cores = 2;
    store_set_host(w.set, &h);
    st.seen_ms = 60;
    st.leased = -2;
    st.pace = text_of("");
    store_set_host_stat(w.set, &st);
    world_write(&w);
    assert_ok(store_host_get(w.store, &w.arena, 3, &got));
    assert_true(got.volunteer_id == 8 && !got.banned && got.left && got.cores == 2 && got.speed == 1.75);
    assert_true(got.memory_bytes == 1ull << 36 && got.disk_bytes == 1ull << 42 && got.created_ms == 44);
    assert_string_equal(got.nickname, "box");
    assert_string_equal(got.platform, "x86_64-linux");
    assert_string_equal(got.os, "Debian 12");
    assert_string_equal(got.cpu, "A Processor");
    assert_string_equal(got.client, "0.1");
    assert_string_equal(got.hr_class, "intel");
    assert_string_equal(got.features, "avx2");
    assert_string_equal(got.ban_reason, "");
    assert_true(got.seen_ms == 60 && got.allowed == 4 && got.leased == 3 && got.valid == 2);
    assert_true(got.invalid == 4 && got.errors == 6 && got.expired == 8 && got.reports == 12);
    assert_true(got.credit_micro == 3000000 && got.credit == 3.0);
    assert_int_equal(got.pace.len, 0);
    assert_err(store_host_get(w.store, &w.arena, 4, &got), ERR_MISSING);
    world_close(&w);
}

static void hosts_are_listed_and_loaded_with_what_they_did(void **state)
{
    struct world w;
    struct store_host *hosts;
    uint32_t count;
    world_open(&w, state);
    for (uint64_t id = 1; id <= 5; id++) {
        struct store_host h = host_of(id, id % 2);
        store_set_host(w.set, &h);
        store_set_host_stat(w.set, &(struct store_host_stat){.id = id, .reports = (int64_t)id});
    }
    world_write(&w);
    assert_ok(store_host_list(w.store, &w.arena, 2, 2, &hosts, &count));
    assert_true(count == 2 && hosts[0].id == 3 && hosts[1].id == 4 && hosts[1].reports == 4);
    assert_ok(store_host_list_of(w.store, &w.arena, 1, 0, 2, &hosts, &count));
    assert_true(count == 2 && hosts[0].id == 1 && hosts[1].id == 3);
    assert_ok(store_host_list_of(w.store, &w.arena, 1, 3, 2, &hosts, &count));
    assert_true(count == 1 && hosts[0].id == 5 && hosts[0].reports == 5);
    const uint64_t ids[] = {4, 77, 2};
    assert_ok(store_hosts_load(w.store, &w.arena, ids, 3, &hosts, &count));
    assert_int_equal(count, 2);
    assert_int_equal(hosts[0].reports + hosts[1].reports, 6);
    assert_int_equal(hosts[0].id + hosts[1].id, 6);
    world_close(&w);
}

static void volunteers_are_counted_by_adding(void **state)
{
    struct world w;
    struct store_volunteer v, *list;
    uint32_t count;
    world_open(&w, state);
    for (uint64_t id = 1; id <= 3; id++)
        store_set_volunteer_new(
            w.set,
            &(struct store_volunteer){.id = id, .name = "Åse", .team = "t", .created_ms = 9, .hosts = 1});
    world_write(&w);
    store_set_volunteer_add(w.set, 2, 1, 10, 20, 2500000);
    world_write(&w);
    store_set_volunteer_add(w.set, 2, -1, 1, 0, 0);
    world_write(&w);
    assert_ok(store_volunteer_get(w.store, &w.arena, 2, &v));
    assert_true(v.id == 2 && v.hosts == 1 && v.valid == 11 && v.invalid == 20 && v.credit == 2.5);
    assert_string_equal(v.name, "Åse");
    assert_string_equal(v.team, "t");
    assert_int_equal(v.created_ms, 9);
    assert_ok(store_volunteer_list(w.store, &w.arena, 1, 1, &list, &count));
    assert_true(count == 1 && list[0].id == 2);
    assert_err(store_volunteer_get(w.store, &w.arena, 9, &v), ERR_MISSING);
    world_close(&w);
}

static void users_have_unique_names_and_a_quota(void **state)
{
    struct world w;
    struct store_user u = {.id = 1,
                           .name = "kari",
                           .mail = "k@x",
                           .role = ROLE_SCIENTIST,
                           .created_ms = 3,
                           .blob_bytes = 10,
                           .blob_bytes_max = 20,
                           .units_max = 30},
                      got, *list;
    uint32_t count;
    world_open(&w, state);
    store_set_user(w.set, &u, true);
    world_write(&w);
    u.id = 2;
    store_set_user(w.set, &u, true);
    assert_err(world_try(&w), ERR_CONFLICT);
    u.name = "ola";
    store_set_user(w.set, &u, true);
    world_write(&w);
    u.role = ROLE_OPERATOR;
    u.disabled = true;
    u.mail = "";
    u.blob_bytes = 999; /* is not what a change says */
    u.blob_bytes_max = 21;
    u.units_max = 31;
    store_set_user(w.set, &u, false);
    store_set_user_quota(w.set, 2, 5);
    world_write(&w);
    assert_ok(store_user_get(w.store, &w.arena, 2, &got));
    assert_true(got.id == 2 && got.role == ROLE_OPERATOR && got.disabled && got.created_ms == 3);
    assert_true(got.blob_bytes == 15 && got.blob_bytes_max == 21 && got.units_max == 31);
    assert_string_equal(got.name, "ola");
    assert_string_equal(got.mail, "");
    assert_ok(store_user_list(w.store, &w.arena, 0, 1, &list, &count));
    assert_true(count == 1 && list[0].id == 1 && !list[0].disabled);
    assert_string_equal(list[0].mail, "k@x");
    assert_err(store_user_get(w.store, &w.arena, 3, &got), ERR_MISSING);
    world_close(&w);
}

static void tokens_are_listed_by_owner_and_can_be_revoked(void **state)
{
    struct world w;
    struct store_token t = {.role = ROLE_HOST,
                            .secret = digest_of("s"),
                            .scope = "a b",
                            .name = "n",
                            .created_ms = 1,
                            .expires_ms = 2},
                       got, *list;
    uint32_t count;
    world_open(&w, state);
    for (t.id = 1; t.id <= 4; t.id++) {
        t.owner_id = t.id == 4 ? 8 : 7;
        t.role = t.id == 2 ? ROLE_VIEWER : ROLE_HOST;
        store_set_token(w.set, &t);
    }
    world_write(&w);
    assert_ok(store_token_get(w.store, &w.arena, 3, &t));
    t.revoked = true;
    store_set_token(w.set, &t);
    world_write(&w);
    assert_ok(store_token_get(w.store, &w.arena, 3, &got));
    assert_true(got.revoked && got.role == ROLE_HOST && got.owner_id == 7 && got.expires_ms == 2);
    struct digest secret = digest_of("s");
    assert_true(digest_eq(&got.secret, &secret));
    assert_string_equal(got.scope, "a b");
    assert_string_equal(got.name, "n");
    assert_ok(store_token_list(w.store, &w.arena, ROLE_HOST, 7, 0, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 1 && list[1].id == 3);
    assert_ok(store_token_list(w.store, &w.arena, ROLE_HOST, 7, 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 3);
    assert_ok(store_token_list(w.store, &w.arena, ROLE_NONE, 0, 1, 2, &list, &count));
    assert_true(count == 2 && list[0].id == 2 && list[1].id == 3);
    assert_err(store_token_get(w.store, &w.arena, 9, &got), ERR_MISSING);
    world_close(&w);
}

static void an_invitation_is_found_by_its_secret(void **state)
{
    struct world w;
    struct store_invitation i = {.id = 1,
                                 .secret = digest_of("i1"),
                                 .name = "school",
                                 .uses = 0,
                                 .uses_max = 9,
                                 .created_ms = 1,
                                 .expires_ms = 2},
                            got, *list;
    uint32_t count;
    world_open(&w, state);
    store_set_invitation(w.set, &i);
    world_write(&w);
    i.id = 2;
    i.secret = digest_of("i2");
    store_set_invitation(w.set, &i);
    world_write(&w);
    i.uses = 3;
    i.revoked = true;
    store_set_invitation(w.set, &i);
    world_write(&w);
    assert_ok(store_invitation_find(w.store, &w.arena, &i.secret, &got));
    assert_true(got.id == 2 && got.uses == 3 && got.uses_max == 9 && got.revoked && got.expires_ms == 2);
    assert_string_equal(got.name, "school");
    assert_ok(store_invitation_get(w.store, &w.arena, 1, &got));
    assert_int_equal(got.uses, 0);
    assert_ok(store_invitation_list(w.store, &w.arena, 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 2);
    struct digest other = digest_of("other");
    assert_err(store_invitation_find(w.store, &w.arena, &other, &got), ERR_MISSING);
    world_close(&w);
}

static void releases_are_found_by_digest_and_listed_without_their_envelope(void **state)
{
    struct world w;
    struct store_release got, *list;
    static const char *const apps[] = {"pi", "primes", "pi"};
    static const char *const names[] = {"r1", "r2", "r3"};
    uint32_t count;
    world_open(&w, state);
    for (uint32_t i = 0; i < 3; i++) {
        struct store_release r = {.id = i + 1,
                                  .digest = digest_of(names[i]),
                                  .app = apps[i],
                                  .platform = "x86_64-linux",
                                  .version = 4,
                                  .bundle = digest_of("b"),
                                  .bundle_bytes = 1ull << 33,
                                  .created_ms = 7,
                                  .user_id = 2,
                                  .envelope = text_of("envelope"),
                                  .manifest = text_of("{}")};
        store_set_release(w.set, &r);
        world_write(&w);
    }
    store_set_release_retired(w.set, 3);
    world_write(&w);
    struct digest third = digest_of("r3"), none = digest_of("r4"), bundle = digest_of("b");
    assert_ok(store_release_get(w.store, &w.arena, &third, &got));
    assert_true(got.id == 3 && got.retired && got.version == 4 && got.bundle_bytes == 1ull << 33);
    assert_true(got.user_id == 2 && got.created_ms == 7 && digest_eq(&got.bundle, &bundle));
    assert_true(digest_eq(&got.digest, &third));
    assert_string_equal(got.app, "pi");
    assert_string_equal(got.platform, "x86_64-linux");
    assert_text(got.envelope, "envelope");
    assert_text(got.manifest, "{}");
    assert_err(store_release_get(w.store, &w.arena, &none, &got), ERR_MISSING);
    assert_ok(store_release_list(w.store, &w.arena, NULL, 1, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 2 && list[1].id == 3 && list[0].envelope.len == 0);
    assert_text(list[0].manifest, "{}");
    assert_ok(store_release_list(w.store, &w.arena, "pi", 0, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 1 && list[1].id == 3);
    assert_ok(store_release_list(w.store, &w.arena, "pi", 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 3);
    struct store_release twice = {.id = 9, .digest = third, .app = "pi", .platform = "x"};
    store_set_release(w.set, &twice);
    assert_err(world_try(&w), ERR_CONFLICT);
    world_close(&w);
}

/* --- the rest --- */

static void what_is_owed_is_listed_when_due_and_gone_when_done(void **state)
{
    struct world w;
    struct store_outbox *list, got;
    struct text body = text_of("{\"b\":1}");
    uint32_t count;
    world_open(&w, state);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 5, &body, 100);
    store_set_outbox(w.set, OUTBOX_JUDGE, 6, NULL, 50);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 7, &body, 200);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 8, &body, 100);
    world_write(&w);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 150, 0, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 1 && list[0].subject == 5 && list[1].id == 4);
    assert_text(list[0].body, "{\"b\":1}");
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 150, 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 4);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 1000, 0, 2, &list, &count));
    assert_true(count == 2 && list[1].id == 3);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_JUDGE, 150, 0, 10, &list, &count));
    assert_true(count == 1 && list[0].kind == OUTBOX_JUDGE && list[0].body.len == 0);
    store_set_outbox_later(w.set, 1, 900);
    store_set_outbox_done(w.set, 4);
    store_set_outbox_done(w.set, 99);
    world_write(&w);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 150, 0, 10, &list, &count));
    assert_int_equal(count, 0);
    assert_ok(store_outbox_get(w.store, &w.arena, 1, &got));
    assert_true(got.tries == 1 && got.due_ms == 900 && got.kind == OUTBOX_WEBHOOK);
    assert_err(store_outbox_get(w.store, &w.arena, 4, &got), ERR_MISSING);
    world_close(&w);
}

static void what_is_due_is_found_behind_thousands_that_are_not(void **state)
{
    struct world w;
    struct store_outbox *list;
    uint32_t count;
    world_open(&w, state);
    for (uint64_t i = 1; i <= 2500; i++)
        store_set_outbox(w.set, OUTBOX_WEBHOOK, i, NULL, 1000);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 7777, NULL, 10);
    world_write(&w);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 20, 0, 10, &list, &count));
    assert_true(count == 1 && list[0].subject == 7777);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 2000, 1200, 10, &list, &count));
    assert_true(count == 10 && list[0].id == 1201);
    world_close(&w);
}

static void the_outcome_of_a_request_is_remembered_until_it_is_forgotten(void **state)
{
    struct world w;
    struct store_replay got;
    struct digest body = digest_of("body");
    struct text result = {.data = "r\0s", .len = 3};
    const char **owners, **names;
    uint32_t count;
    world_open(&w, state);
    store_set_replay(w.set, "u1", "key", &body, &result, 100);
    store_set_replay(w.set, "u2", "key", &body, &result, 50);
    store_set_replay(w.set, "u2", "late", &body, &result, 500);
    world_write(&w);
    assert_ok(store_replay_get(w.store, &w.arena, "u1", "key", &got));
    assert_true(got.at_ms == 100 && got.result.len == 3 && digest_eq(&got.body, &body));
    assert_memory_equal(got.result.data, "r\0s", 3);
    assert_err(store_replay_get(w.store, &w.arena, "u3", "key", &got), ERR_MISSING);
    store_set_replay(w.set, "u1", "key", &body, &result, 100);
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_ok(store_replays_old(w.store, &w.arena, 200, 10, &owners, &names, &count));
    assert_int_equal(count, 2);
    assert_string_equal(owners[0], "u2");
    assert_string_equal(names[0], "key");
    assert_string_equal(owners[1], "u1");
    store_set_replay_forget(w.set, "u2", "key");
    world_write(&w);
    assert_err(store_replay_get(w.store, &w.arena, "u2", "key", &got), ERR_MISSING);
    world_close(&w);
}

static void a_setting_that_was_never_set_is_empty(void **state)
{
    struct world w;
    const char *value, **names, **values;
    uint32_t count;
    world_open(&w, state);
    store_set_setting(w.set, "project.name", "one");
    store_set_setting(w.set, "join.needed", "yes");
    world_write(&w);
    store_set_setting(w.set, "project.name", "two");
    world_write(&w);
    assert_ok(store_setting_get(w.store, &w.arena, "project.name", &value));
    assert_string_equal(value, "two");
    assert_ok(store_setting_get(w.store, &w.arena, "nothing", &value));
    assert_string_equal(value, "");
    assert_ok(store_setting_list(w.store, &w.arena, &names, &values, &count));
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "join.needed");
    assert_string_equal(values[1], "two");
    world_close(&w);
}

static void the_audit_log_is_a_chain_without_holes(void **state)
{
    struct world w;
    struct store_audit *list;
    struct digest before = {{0}}, last;
    uint32_t count;
    uint64_t seq;
    world_open(&w, state);
    assert_ok(store_audit_last(w.store, &seq, &last));
    assert_true(seq == 0 && digest_is_zero(&last));
    for (int i = 0; i < 5; i++) {
        struct store_audit e = {.at_ms = i,
                                .user_id = 3,
                                .action = "batch.cancel",
                                .subject = "7",
                                .detail = text_of(i ? "{\"i\":1}" : "")};
        store_set_audit(w.set, &e);
        if (i != 1) /* two in one turn */
            world_write(&w);
    }
    assert_ok(store_audit_list(w.store, &w.arena, 0, 10, &list, &count));
    assert_int_equal(count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct store_audit *e = &list[4 - i];
        assert_int_equal(e->seq, i + 1);
        assert_int_equal(e->at_ms, i);
        assert_string_equal(e->action, "batch.cancel");
        assert_string_equal(e->subject, "7");
        before = store_audit_chain(&before, e);
        assert_true(digest_eq(&before, &e->chain));
    }
    assert_ok(store_audit_last(w.store, &seq, &last));
    assert_true(seq == 5 && digest_eq(&last, &before));
    assert_ok(store_audit_list(w.store, &w.arena, 4, 2, &list, &count));
    assert_true(count == 2 && list[0].seq == 3 && list[1].seq == 2);
    struct store_audit forged = list[0];
    forged.user_id++;
    struct digest other = store_audit_chain(&list[1].chain, &forged);
    assert_false(digest_eq(&other, &list[0].chain));
    world_close(&w);
}

static void the_sums_of_all_servers_are_the_projects(void **state)
{
    struct world w;
    struct project_counts sum;
    world_open(&w, state);
    assert_ok(store_project_counts(w.store, &sum));
    assert_int_equal(sum.units, 0);
    store_set_project(w.set, 1, &(struct project_counts){.units = 5, .wall_ms = 7}, 1500000);
    store_set_project(w.set, 2, &(struct project_counts){.units = 1, .batches = 2}, 500000);
    world_write(&w);
    store_set_project(w.set, 1, &(struct project_counts){.units = -2}, 0);
    world_write(&w);
    assert_ok(store_project_counts(w.store, &sum));
    assert_true(sum.units == 4 && sum.wall_ms == 7 && sum.batches == 2 && sum.credit == 2.0);
    world_close(&w);
}

static void roles_have_words(void **state)
{
    (void)state;
    for (int r = ROLE_HOST; r < ROLES; r++)
        assert_int_equal(role_from_name(role_name((enum role)r)), r);
    assert_int_equal(role_from_name("king"), ROLE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_that_was_submitted_is_open_and_has_its_spec_and_first_line),
        cmocka_unit_test(a_units_life_history_and_use_grow_with_each_change),
        cmocka_unit_test(the_engine_reads_units_by_id_and_by_range),
        cmocka_unit_test(units_with_attempts_to_send_are_found_by_whether_some_were_sent),
        cmocka_unit_test(units_are_woken_in_the_order_of_their_time),
        cmocka_unit_test(people_list_units_page_by_page_by_state_and_by_failure),
        cmocka_unit_test(a_rare_state_is_found_by_going_on_over_empty_pages),
        cmocka_unit_test(a_chunk_is_replaced_by_its_number),
        cmocka_unit_test(leases_come_and_go_and_are_listed_by_host),
        cmocka_unit_test(what_hosts_say_of_attempts_is_kept_and_grouped),
        cmocka_unit_test(a_small_file_is_kept_once_within_its_batch),
        cmocka_unit_test(deliveries_are_numbered_within_each_stream_in_the_order_they_were_told),
        cmocka_unit_test(every_field_of_a_batch_comes_back),
        cmocka_unit_test(a_batch_changes_what_may_change),
        cmocka_unit_test(batches_are_listed_newest_first_and_active_ones_in_order),
        cmocka_unit_test(the_same_order_twice_is_a_conflict),
        cmocka_unit_test(a_host_and_what_it_did_are_kept_apart_and_read_together),
        cmocka_unit_test(hosts_are_listed_and_loaded_with_what_they_did),
        cmocka_unit_test(volunteers_are_counted_by_adding),
        cmocka_unit_test(users_have_unique_names_and_a_quota),
        cmocka_unit_test(tokens_are_listed_by_owner_and_can_be_revoked),
        cmocka_unit_test(an_invitation_is_found_by_its_secret),
        cmocka_unit_test(releases_are_found_by_digest_and_listed_without_their_envelope),
        cmocka_unit_test(what_is_owed_is_listed_when_due_and_gone_when_done),
        cmocka_unit_test(what_is_due_is_found_behind_thousands_that_are_not),
        cmocka_unit_test(the_outcome_of_a_request_is_remembered_until_it_is_forgotten),
        cmocka_unit_test(a_setting_that_was_never_set_is_empty),
        cmocka_unit_test(the_audit_log_is_a_chain_without_holes),
        cmocka_unit_test(the_sums_of_all_servers_are_the_projects),
        cmocka_unit_test(roles_have_words),
    };
    return DATABASE_RUN(tests);
}
