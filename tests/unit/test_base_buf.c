/* test_base_buf.c - growing buffers and arenas, and what happens at their ceilings. */
#include "lib/t.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

static void a_zeroed_buffer_is_empty_text(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    assert_string_equal(buf_text(&b), "");
    buf_clear(&b);
    assert_ok(buf_add(&b, NULL, 0));
    assert_string_equal(b.data, "");
    buf_done(NULL);
}

static void what_is_added_stands_there_and_ends_in_a_nul(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    for (int i = 0; i < 1000; i++) {
        assert_ok(buf_printf(&b, "%d,", i));
        assert_int_equal(b.data[b.len], 0);
    }
    assert_ok(buf_add_text(&b, "end"));
    assert_ok(buf_add_char(&b, '.'));
    assert_ok(buf_add(&b, "\0x", 2));
    assert_memory_equal(b.data, "0,1,2,3,", 8);
    assert_memory_equal(b.data + b.len - 10, "999,end.\0x", 10);
}

static void a_buffer_takes_exactly_its_limit(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    buf_init(&b, 100);
    char text[101] = {0};
    memset(text, 'x', 100);
    assert_ok(buf_add(&b, text, 100));
    assert_err(buf_add_char(&b, 'y'), ERR_LIMIT);
    assert_non_null(strstr(err_text(), "100 bytes"));
    assert_string_equal(b.data, text);
    assert_true(b.room <= 101);
}

static void a_refused_addition_leaves_the_content_as_it_was(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {.bytes_max = 80};
    assert_ok(buf_add_text(&b, "0123456789"));
    assert_err(buf_printf(&b, "%060d%020d", 1, 2), ERR_LIMIT);
    assert_string_equal(b.data, "0123456789");
    assert_err(buf_add(&b, b.data, 71), ERR_LIMIT);
    assert_err(buf_reserve(&b, SIZE_MAX), ERR_LIMIT);
    assert_string_equal(b.data, "0123456789");
    assert_int_equal(b.len, 10);
    BUF_AUTO struct buf vast = {.bytes_max = SIZE_MAX};
    assert_err(buf_reserve(&vast, SIZE_MAX - 1), ERR_LIMIT);
}

static void printing_works_at_every_edge_of_the_room(void **state)
{
    (void)state;
    for (int had = 0; had < 140; had++) {
        BUF_AUTO struct buf b = {0};
        assert_ok(buf_printf(&b, "%0*d", had ? had : 1, 0));
        assert_ok(buf_printf(&b, "%s", "0123456789"));
        assert_string_equal(b.data + b.len - 10, "0123456789");
        assert_int_equal(strlen(b.data), b.len);
    }
}

static void taken_memory_belongs_to_the_taker_and_the_buffer_is_empty(void **state)
{
    (void)state;
    struct buf b = {.bytes_max = 10};
    char *empty = buf_take(&b);
    assert_string_equal(empty, "");
    assert_ok(buf_add_text(&b, "0123456789"));
    char *text = buf_take(&b);
    assert_string_equal(text, "0123456789");
    assert_null(b.data);
    assert_int_equal(b.bytes_max, 10);
    free(empty);
    free(text);
}

static void an_arena_gives_zeroed_aligned_memory_of_its_own(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    unsigned char *all[500];
    for (size_t i = 0; i < 500; i++) {
        all[i] = arena_alloc(&a, i);
        assert_non_null(all[i]);
        assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < i; j++)
            assert_int_equal(all[i][j], 0);
        memset(all[i], 0xee, i);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(all[i][j], 0xee);
}

static void an_arena_copies_text_and_bytes(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    char text[] = "short";
    char *copy = arena_text(&a, text);
    text[0] = 'X';
    assert_string_equal(copy, "short");
    assert_string_equal(arena_bytes(&a, "abcdef", 3), "abc");
    assert_string_equal(arena_bytes(&a, NULL, 0), "");
}

static void an_arena_ends_at_its_ceiling_whatever_the_pieces(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {.bytes_max = 1600};
    unsigned given = 0;
    while (arena_alloc(&a, 1))
        given++;
    assert_in_range(given, 1, 100); /* counted with what alignment costs */
    assert_non_null(strstr(err_text(), "1600 bytes"));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_bytes(&a, "", SIZE_MAX));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 1600));
    assert_null(arena_alloc(&a, 1));
}

static void a_reset_arena_gives_zeroes_again(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    for (int round = 0; round < 3; round++) {
        unsigned char *p = arena_array(&a, 100, 1000);
        for (size_t i = 0; i < 100000; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, 100000);
        memset(arena_alloc(&a, 100), 0xff, 100);
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    arena_done(&a);
    assert_non_null(arena_alloc(&a, 1)); /* usable again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_buffer_is_empty_text),
        cmocka_unit_test(what_is_added_stands_there_and_ends_in_a_nul),
        cmocka_unit_test(a_buffer_takes_exactly_its_limit),
        cmocka_unit_test(a_refused_addition_leaves_the_content_as_it_was),
        cmocka_unit_test(printing_works_at_every_edge_of_the_room),
        cmocka_unit_test(taken_memory_belongs_to_the_taker_and_the_buffer_is_empty),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory_of_its_own),
        cmocka_unit_test(an_arena_copies_text_and_bytes),
        cmocka_unit_test(an_arena_ends_at_its_ceiling_whatever_the_pieces),
        cmocka_unit_test(a_reset_arena_gives_zeroes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
