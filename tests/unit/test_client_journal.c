/* test_client_journal.c - what survives: client/journal.h */
#include "lib/t.h"

#include "client/journal.h"
#include "lib/temp.h"

struct seen {
    uint32_t count;
    struct journal_record list[64];
    char spec[64][32];
    char word[64][32];
    uint64_t output_bytes[64];
};

static void on_record(void *ctx, const struct journal_record *r)
{
    struct seen *s = ctx;
    assert_true(s->count < 64);
    s->list[s->count] = *r;
    snprintf(s->spec[s->count], 32, "%.*s", (int)r->spec_len, r->spec ? r->spec : "");
    snprintf(s->word[s->count], 32, "%s", r->outcome.word ? r->outcome.word : "");
    s->output_bytes[s->count] = r->outcome.output_count ? r->outcome.outputs[0].bytes : 0;
    s->count++;
}

static struct journal_record lease(uint32_t index)
{
    return (struct journal_record){.kind = JOURNAL_LEASED,
                                   .id = {wu_id_make(7, index), 1},
                                   .deadline_ms = 1000 + index,
                                   .spec = "{\"unit\":\"7.1\"}",
                                   .spec_len = 14};
}

static struct journal_record finish(uint32_t index)
{
    static struct file_ref out = {.path = "out.txt", .bytes = 5000};
    struct journal_record r = {.kind = JOURNAL_FINISHED, .id = {wu_id_make(7, index), 1}};
    r.outcome = (struct outcome){.word = "ok", .outputs = &out, .output_count = 1, .cpu_ms = 3};
    return r;
}

static struct journal *open_it(const char *path, struct seen *s, uint32_t *skipped)
{
    struct journal *j = NULL;
    memset(s, 0, sizeof *s);
    assert_ok(journal_open(path, on_record, s, &j, skipped));
    return j;
}

static void what_was_written_comes_back_in_order(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "journal");
    struct seen s;
    uint32_t skipped;
    struct journal *j = open_it(path, &s, &skipped);
    assert_int_equal(s.count, 0);
    struct journal_record a = lease(3), b = finish(3), c = {.kind = JOURNAL_FORGOTTEN, .id = a.id},
                          d = {.kind = JOURNAL_STARTED, .id = a.id, .starts = 2};
    assert_ok(journal_add(j, &a));
    assert_ok(journal_add(j, &d));
    assert_ok(journal_add(j, &b));
    assert_ok(journal_add(j, &c));
    assert_ok(journal_sync(j));
    journal_close(j);
    j = open_it(path, &s, &skipped);
    assert_int_equal(skipped, 0);
    assert_int_equal(s.count, 4);
    assert_int_equal(s.list[0].deadline_ms, 1003);
    assert_string_equal(s.spec[0], "{\"unit\":\"7.1\"}");
    assert_int_equal(s.list[1].starts, 2);
    assert_string_equal(s.word[2], "ok");
    assert_int_equal(s.output_bytes[2], 5000);
    assert_int_equal(s.list[3].kind, JOURNAL_FORGOTTEN);
    journal_close(j);
    temp_done(&t);
}

static size_t lines_within(const struct buf *all, size_t cut)
{
    size_t n = 0;
    for (size_t i = 0; i < cut; i++)
        n += all->data[i] == '\n';
    return n;
}

/* One line of each kind. */
static void write_life(const char *path, struct buf *ret_all)
{
    struct seen s;
    uint32_t skipped;
    struct journal *j = open_it(path, &s, &skipped);
    struct journal_record list[] = {lease(1),
                                    {.kind = JOURNAL_STARTED, .id = lease(1).id, .starts = 1},
                                    finish(1),
                                    {.kind = JOURNAL_FORGOTTEN, .id = lease(1).id}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        assert_ok(journal_add(j, &list[i]));
    journal_close(j);
    assert_ok(file_read(path, 1 << 20, ret_all));
}

/* Cut after every byte: what was whole stays, and what is added afterwards is whole too. */
static void a_cut_at_any_byte_costs_no_whole_line_and_none_that_comes_later(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "journal");
    struct seen s;
    uint32_t skipped;
    BUF_AUTO struct buf all = {0};
    write_life(path, &all);
    for (size_t cut = 0; cut <= all.len; cut++) {
        size_t whole = lines_within(&all, cut);
        assert_ok(file_write_atomic(path, all.data, cut, 0600));
        struct journal *j = open_it(path, &s, &skipped);
        assert_int_equal(s.count, whole);
        assert_int_equal(skipped, cut > 0 && all.data[cut - 1] != '\n');
        struct journal_record r = finish(9);
        assert_ok(journal_add(j, &r));
        journal_close(j);
        j = open_it(path, &s, &skipped);
        assert_int_equal(s.count, whole + 1);
        assert_int_equal(s.list[whole].kind, JOURNAL_FINISHED);
        assert_int_equal(wu_id_index(s.list[whole].id.unit), 9);
        journal_close(j);
    }
    temp_done(&t);
}

/* A line end that is damaged takes the line after it along: nothing says any more where that begins. */
static void a_damaged_byte_costs_its_own_line_and_is_never_believed(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "journal");
    struct seen s;
    uint32_t skipped;
    BUF_AUTO struct buf all = {0};
    write_life(path, &all);
    for (size_t at = 0; at < all.len; at++) {
        bool line_end = all.data[at] == '\n';
        uint32_t lost = line_end && at + 1 < all.len ? 2 : 1;
        all.data[at] ^= 0x20;
        assert_ok(file_write_atomic(path, all.data, all.len, 0600));
        struct journal *j = open_it(path, &s, &skipped);
        assert_int_equal(s.count, 4 - lost);
        assert_int_equal(skipped, 1);
        journal_close(j);
        all.data[at] ^= 0x20;
    }
    temp_done(&t);
}

static void a_damaged_record_is_skipped_and_the_others_stay(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "journal");
    struct seen s;
    uint32_t skipped;
    struct journal *j = open_it(path, &s, &skipped);
    for (uint32_t i = 0; i < 3; i++) {
        struct journal_record r = lease(i);
        assert_ok(journal_add(j, &r));
    }
    journal_close(j);
    BUF_AUTO struct buf all = {0};
    assert_ok(file_read(path, 1 << 20, &all));
    all.data[all.len / 2] ^= 1;
    assert_ok(file_write_atomic(path, all.data, all.len, 0600));
    j = open_it(path, &s, &skipped);
    assert_int_equal(s.count, 2);
    assert_int_equal(skipped, 1);
    assert_int_equal(wu_id_index(s.list[1].id.unit), 2);
    journal_close(j);
    temp_done(&t);
}

static enum err one_lease(void *ctx, struct journal *j)
{
    struct journal_record r = lease(*(uint32_t *)ctx);
    return journal_add(j, &r);
}

static void a_journal_written_anew_holds_what_was_given_and_grows_on(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "journal");
    struct seen s;
    uint32_t skipped, which = 42;
    struct journal *j = open_it(path, &s, &skipped);
    for (uint32_t i = 0; !journal_is_long(j); i++) {
        struct journal_record r = lease(i);
        assert_ok(journal_add(j, &r));
        assert_true(i < 100000);
    }
    assert_ok(journal_compact(j, one_lease, &which));
    assert_false(journal_is_long(j));
    struct journal_record r = finish(42);
    assert_ok(journal_add(j, &r));
    assert_ok(journal_sync(j));
    journal_close(j);
    j = open_it(path, &s, &skipped);
    assert_int_equal(s.count, 2);
    assert_int_equal(wu_id_index(s.list[0].id.unit), 42);
    journal_close(j);
    temp_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_comes_back_in_order),
        cmocka_unit_test(a_cut_at_any_byte_costs_no_whole_line_and_none_that_comes_later),
        cmocka_unit_test(a_damaged_byte_costs_its_own_line_and_is_never_believed),
        cmocka_unit_test(a_damaged_record_is_skipped_and_the_others_stay),
        cmocka_unit_test(a_journal_written_anew_holds_what_was_given_and_grows_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
