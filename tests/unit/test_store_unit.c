/* What is written of units into a store comes back, over every database. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "rules/wu_codec.h"
#include "rules/wu_history.h"
#include "server/unit_row.h"

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

/* An answer that is known takes the place of the quorum, and is no part of what hosts are sent. */
static void a_unit_whose_answer_is_known_has_rules_of_its_own_and_the_same_spec(void **state)
{
    struct world w;
    struct store_unit u;
    struct buf tails[2] = {{0}, {0}};
    struct text manifest = text_of("{\"outputs\":[]}");
    world_open(&w, state);
    struct store_batch b = world_batch(5, 1);
    b.rules.quorum = 2;
    world_batch_new(&w, &b, true);
    assert_ok(buf_add_text(&tails[1], "\"vars\":{},\"inputs\":[]}"));
    for (uint32_t i = 0; i < 2; i++) {
        assert_ok(unit_known_add(&manifest, &tails[i]));
        struct text tail = {.data = tails[i].data, .len = (uint32_t)tails[i].len};
        store_set_unit_new(w.set, wu_id_make(5, i), &tail);
        world_write(&w);
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_ok(store_unit_get(w.store, &w.arena, wu_id_make(5, i), &u));
        assert_text(u.spec, i ? "{\"unit\":\"5.1\",\"vars\":{},\"inputs\":[]}"
                              : "{\"unit\":\"5.0\",\"vars\":{\"\":\"-10\"},\"inputs\":[]}");
        assert_text(u.known, "{\"outputs\":[]}");
        assert_int_equal(u.wu.rules.quorum, 1);
        assert_int_equal(u.wu.rules.compare, WU_COMPARE_CHECK);
        assert_int_equal(u.wu.attempt_count, 3);
        buf_done(&tails[i]);
    }
    world_close(&w);
}

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
    assert_int_equal(u.known.len, 0);
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
            store_set_lease(w.set, &(struct store_lease){host, unit, 0, 10}, true);
    world_write(&w);
    store_set_lease(w.set, &(struct store_lease){1, 2, 3, 20}, false);
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
    store_set_lease(w.set, &(struct store_lease){1, 2, 4, 30}, true); /* not new at all */
    assert_int_equal(world_try(&w), ERR_CONFLICT);
    world_close(&w);
}

static void what_went_wrong_at_a_host_is_listed_the_newest_first(void **state)
{
    static const struct {
        wu_id unit;
        uint32_t attempt;
        uint64_t host;
        int64_t at_ms;
    } said[] = {{7, 2, 3, 99}, {7, 0, 3, 98}, {9, 0, 3, 120}, {9, 1, 4, 130}};
    struct world w;
    struct store_note *notes;
    uint32_t count;
    world_open(&w, state);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct store_note note = {.unit = said[i].unit,
                                  .attempt = said[i].attempt,
                                  .host_id = said[i].host,
                                  .error = ATTEMPT_ERROR_EXIT,
                                  .message = "",
                                  .stderr_tail = "",
                                  .at_ms = said[i].at_ms};
        store_set_note(w.set, &note);
    }
    world_write(&w);
    assert_ok(store_note_list_of(w.store, &w.arena, 3, 2, &notes, &count));
    assert_int_equal(count, 2);
    assert_int_equal(notes[0].unit, 9);
    assert_int_equal(notes[1].unit, 7);
    assert_int_equal(notes[1].attempt, 2);
    assert_ok(store_note_list_of(w.store, &w.arena, 5, 2, &notes, &count));
    assert_int_equal(count, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_whose_answer_is_known_has_rules_of_its_own_and_the_same_spec),
        cmocka_unit_test(a_unit_that_was_submitted_is_open_and_has_its_spec_and_first_line),
        cmocka_unit_test(a_units_life_history_and_use_grow_with_each_change),
        cmocka_unit_test(the_engine_reads_units_by_id_and_by_range),
        cmocka_unit_test(units_with_attempts_to_send_are_found_by_whether_some_were_sent),
        cmocka_unit_test(units_are_woken_in_the_order_of_their_time),
        cmocka_unit_test(people_list_units_page_by_page_by_state_and_by_failure),
        cmocka_unit_test(a_rare_state_is_found_by_going_on_over_empty_pages),
        cmocka_unit_test(a_chunk_is_replaced_by_its_number),
        cmocka_unit_test(leases_come_and_go_and_are_listed_by_host),
        cmocka_unit_test(what_went_wrong_at_a_host_is_listed_the_newest_first),
        cmocka_unit_test(what_hosts_say_of_attempts_is_kept_and_grouped),
        cmocka_unit_test(deliveries_are_numbered_within_each_stream_in_the_order_they_were_told),
    };
    return DATABASE_RUN(tests);
}
