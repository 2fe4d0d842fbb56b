/* Answers of hosts: one row for each, as they were kept before, and on the way between both. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "server/answer_row.h"
#include "server/store_answer.h"
#include "wire/answer.h"

enum { OUTPUTS = 4 };

struct made {
    struct file_ref files[OUTPUTS];
    struct text data[OUTPUTS];
    struct store_answer answer;
    struct store_answer_key key;
    struct buf row;
};

/* Own bytes, none, bytes with a zero in them, and a blob. */
static void make(struct made *m, wu_id unit, const char *text)
{
    static const char zero[] = "a\0b";
    *m = (struct made){.data = {text_of(text), text_of(""), {zero, 3}, {0}}};
    m->files[0] = (struct file_ref){"a/text", digest_of(text), strlen(text)};
    m->files[1] = (struct file_ref){"empty", digest_of(""), 0};
    m->files[2] = (struct file_ref){"has zero", hash_bytes(zero, 3), 3};
    m->files[3] = (struct file_ref){"large", digest_of("large"), 5ull << 30};
    m->answer = (struct store_answer){m->files, m->data, OUTPUTS};
    m->key.unit = unit;
    assert_ok(answer_digest(m->files, OUTPUTS, &m->key.answer));
    assert_ok(answer_row_write(&m->answer, &m->row));
}

static struct text row_of(struct made *m)
{
    return (struct text){buf_text(&m->row), (uint32_t)m->row.len};
}

static void assert_kept(struct world *w, const struct made *m)
{
    struct store_answer got;
    assert_ok(store_answer_get(w->store, &w->arena, m->key.unit, &m->key.answer, &got));
    assert_int_equal(got.count, OUTPUTS);
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        assert_string_equal(got.files[i].path, m->files[i].path);
        assert_true(digest_eq(&got.files[i].sha256, &m->files[i].sha256));
        assert_true(got.files[i].bytes == m->files[i].bytes);
        assert_int_equal(got.data[i].data == NULL, m->data[i].data == NULL);
        assert_int_equal(got.data[i].len, m->data[i].len);
        if (m->data[i].len > 0)
            assert_memory_equal(got.data[i].data, m->data[i].data, m->data[i].len);
    }
}

static void an_answer_comes_back_with_the_bytes_that_it_brought(void **state)
{
    struct world w;
    struct made m;
    struct store_answer got;
    world_open(&w, state);
    make(&m, wu_id_make(5, 7), "text");
    struct text row = row_of(&m), other = text_of("not a row");
    store_set_answer(w.set, &m.key, &row);
    world_write(&w);
    store_set_answer(w.set, &m.key, &other); /* the first stays */
    world_write(&w);
    assert_kept(&w, &m);
    assert_err(store_answer_get(w.store, &w.arena, wu_id_make(5, 8), &m.key.answer, &got), ERR_MISSING);
    buf_done(&m.row);
    world_close(&w);
}

static void a_row_that_is_not_the_answer_of_its_name_is_corrupt(void **state)
{
    struct world w;
    struct made m;
    struct store_answer got;
    world_open(&w, state);
    make(&m, wu_id_make(5, 0), "text");
    struct text row = row_of(&m);
    for (uint32_t i = 0; i < row.len; i++) {
        char *damaged = arena_bytes(&w.arena, row.data, row.len);
        damaged[i] ^= 1;
        struct text text = {damaged, row.len};
        assert_err(answer_row_read(&text, &m.key.answer, &w.arena, &got), ERR_CORRUPT);
        text = (struct text){row.data, i};
        assert_err(answer_row_read(&text, &m.key.answer, &w.arena, &got), ERR_CORRUPT);
    }
    m.key.answer.bytes[0] ^= 1;
    store_set_answer(w.set, &m.key, &row);
    world_write(&w);
    assert_err(store_answer_get(w.store, &w.arena, m.key.unit, &m.key.answer, &got), ERR_CORRUPT);
    buf_done(&m.row);
    world_close(&w);
}

static void what_is_kept_for_an_older_server_is_read_all_the_same(void **state)
{
    struct world w;
    struct made m;
    struct store_answer_key *keys;
    struct digest *digests;
    uint32_t count;
    world_open(&w, state);
    make(&m, wu_id_make(5, 3), "text");
    struct text row = row_of(&m);
    assert_ok(store_set_answer_apart(w.set, &w.arena, &m.key, &row));
    world_write(&w);
    assert_kept(&w, &m);
    assert_ok(store_answer_list(w.store, &w.arena, 5, 10, &keys, &count));
    assert_int_equal(count, 0);
    assert_ok(store_small_list(w.store, &w.arena, 5, 10, &digests, &count));
    assert_int_equal(count, OUTPUTS); /* the manifest, and all but the blob */
    for (uint32_t i = 0; i < count; i++)
        store_set_small_end(w.set, 5, &digests[i]);
    world_write(&w);
    assert_ok(store_small_list(w.store, &w.arena, 5, 10, &digests, &count));
    assert_int_equal(count, 0);
    buf_done(&m.row);
    world_close(&w);
}

static void answers_of_a_batch_are_found_and_let_go(void **state)
{
    struct world w;
    struct made m[4];
    struct store_answer_key *keys;
    struct store_answer got;
    uint32_t count;
    wu_id units[] = {wu_id_make(4, UINT32_MAX), wu_id_make(5, 0), wu_id_make(5, UINT32_MAX),
                     wu_id_make(6, 0)};
    world_open(&w, state);
    for (uint32_t i = 0; i < 4; i++) {
        make(&m[i], units[i], "text");
        struct text row = row_of(&m[i]);
        store_set_answer(w.set, &m[i].key, &row);
        world_write(&w);
    }
    assert_ok(store_answer_list(w.store, &w.arena, 5, 10, &keys, &count));
    assert_int_equal(count, 2);
    for (uint32_t i = 0; i < count; i++)
        store_set_answer_end(w.set, &keys[i]);
    world_write(&w);
    for (uint32_t i = 1; i < 3; i++)
        assert_err(store_answer_get(w.store, &w.arena, units[i], &m[i].key.answer, &got), ERR_MISSING);
    assert_kept(&w, &m[0]);
    assert_kept(&w, &m[3]);
    for (uint32_t i = 0; i < 4; i++)
        buf_done(&m[i].row);
    world_close(&w);
}

/* More than a page of them, and the last unit of a page has two. */
static void going_back_to_an_older_schema_loses_no_answer(void **state)
{
    enum { UNITS = 1300, TWICE = 999 };
    struct world w;
    static struct made m[UNITS + 1];
    world_open(&w, state);
    if (!w.databases->kept) {
        world_close(&w);
        return;
    }
    for (uint32_t i = 0; i <= UNITS; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        make(&m[i], wu_id_make(5, i < UNITS ? i : TWICE), arena_text(&w.arena, text));
        struct text row = row_of(&m[i]);
        store_set_answer(w.set, &m[i].key, &row);
    }
    world_write(&w);
    store_close(w.store);
    assert_ok(store_migrate(w.where, STORE_ANSWERS_SINCE - 1));
    assert_ok(store_migrate(w.where, STORE_SCHEMA_VERSION));
    assert_ok(store_open(w.where, &w.store));
    for (uint32_t i = 0; i <= UNITS; i++) {
        assert_kept(&w, &m[i]);
        buf_done(&m[i].row);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_with_the_bytes_that_it_brought),
        cmocka_unit_test(a_row_that_is_not_the_answer_of_its_name_is_corrupt),
        cmocka_unit_test(what_is_kept_for_an_older_server_is_read_all_the_same),
        cmocka_unit_test(answers_of_a_batch_are_found_and_let_go),
        cmocka_unit_test(going_back_to_an_older_schema_loses_no_answer),
    };
    return DATABASE_RUN(tests);
}
