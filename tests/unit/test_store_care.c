/* A store is written out and read back, copied into another kind of database, backed up while it is written
 * to, and looked at: nothing is lost or changed on the way, and what is broken is said. */
#include "lib/t.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "lib/store_world.h"
#include "server/store_care.h"
#include "server/store_rows.h"

enum { UNITS = 2345, AUDITS = 5 };

static void fill_people(struct world *w)
{
    struct store_host h = {.id = 1,
                           .volunteer_id = 2,
                           .nickname = "box \"7\" \xc3\xa5",
                           .platform = "x86_64-linux",
                           .os = "linux",
                           .cpu = "a\tb\nc\\d",
                           .client = "0.1.0",
                           .hr_class = "",
                           .features = "avx2",
                           .cores = 4,
                           .speed = 1.0 / 3,
                           .ban_reason = ""};
    struct store_host_stat st = {.id = 1, .seen_ms = 50, .pace = {"\0\xff\x80", 3}};
    struct store_user u = {
        .id = 7, .name = "ada", .mail = "", .role = ROLE_OPERATOR, .blob_bytes_max = INT64_MAX};
    store_set_host_new(w->set, &h);
    store_set_host_stat(w->set, &st);
    store_set_user(w->set, &u, true);
    for (uint64_t i = 1; i <= AUDITS; i++) {
        struct store_audit a = {
            .at_ms = (int64_t)i * 1000, .user_id = 7, .action = "x", .subject = "1", .detail = text_of("{}")};
        store_set_audit(w->set, &a);
    }
    world_write(w);
}

/* More rows than a page, rows that share the first column of their key over a page's end, every kind of
 * value. */
static void fill(struct world *w)
{
    world_units(w, 5, UNITS);
    world_units(w, 6, 3);
    for (uint32_t i = 0; i < UNITS; i++) {
        struct text chunk = text_of("{\"envelope\":\"x\"}");
        store_set_chunk(w->set, 5, i, &chunk);
    }
    world_write(w);
    fill_people(w);
}

/* --- a dump in memory --- */

struct tape {
    struct buf text;
    size_t at;
    size_t most; /* bytes that a read gives */
};

static enum err record(void *ctx, const char *bytes, size_t len)
{
    return buf_add(&((struct tape *)ctx)->text, bytes, len);
}

static enum err play(void *ctx, char *to, size_t room, size_t *ret_len)
{
    struct tape *t = ctx;
    size_t len = t->text.len - t->at;
    len = len < room ? len : room;
    len = t->most && len > t->most ? t->most : len;
    memcpy(to, t->text.data + t->at, len);
    t->at += len;
    *ret_len = len;
    return ERR_OK;
}

static uint64_t rows_of(const struct store_sums *s, const char *table)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (strcmp(s->tables[i].table, table) == 0)
            return s->tables[i].rows;
    fail_msg("there is no table %s", table);
    return 0;
}

static void all_that_was_dumped_is_there_after_it_was_loaded(void **state)
{
    struct world a, b;
    struct tape slow = {.most = 777}, *tape = &slow, again = {0};
    static struct store_sums out, in, second;
    world_open(&a, state);
    world_open(&b, state);
    fill(&a);
    assert_ok(store_dump(a.store, 12, record, tape, &out));
    assert_ok(store_load(b.store, play, tape, &in));
    assert_ok(store_sums_compare(&out, &in));
    assert_ok(store_dump(b.store, 12, record, &again, &second));
    assert_int_equal(again.text.len, tape->text.len);
    assert_memory_equal(again.text.data, tape->text.data, again.text.len);
    assert_int_equal(rows_of(&out, "unit"), UNITS + 3);
    assert_int_equal(rows_of(&out, "chunk"), UNITS);
    assert_int_equal(rows_of(&out, "audit"), AUDITS);
    struct store_host h;
    assert_ok(store_host_get(b.store, &b.arena, 1, &h));
    assert_string_equal(h.cpu, "a\tb\nc\\d");
    assert_true(h.speed == 1.0 / 3);
    assert_int_equal(h.pace.len, 3);
    assert_memory_equal(h.pace.data, "\0\xff\x80", 3);
    buf_done(&tape->text);
    buf_done(&again.text);
    world_close(&a);
    world_close(&b);
}

static void loading_into_a_store_that_holds_something_changes_nothing(void **state)
{
    struct world a;
    struct tape tape = {0};
    static struct store_sums before, sums, after;
    world_open(&a, state);
    fill_people(&a);
    assert_ok(store_dump(a.store, 1, record, &tape, &before));
    assert_err(store_load(a.store, play, &tape, &sums), ERR_CONFLICT);
    assert_ok(store_dump(a.store, 1, NULL, NULL, &after));
    assert_ok(store_sums_compare(&before, &after));
    buf_done(&tape.text);
    world_close(&a);
}

static void load_must_fail(void **state, const char *dump, size_t len, enum err wanted)
{
    struct world w;
    struct tape tape = {0};
    static struct store_sums sums, after;
    world_open(&w, state);
    assert_ok(buf_add(&tape.text, dump, len));
    assert_err(store_load(w.store, play, &tape, &sums), wanted);
    assert_ok(store_dump(w.store, 1, NULL, NULL, &after));
    for (uint32_t i = 0; i < after.count; i++)
        assert_int_equal(after.tables[i].rows, 0);
    buf_done(&tape.text);
    world_close(&w);
}

static void a_dump_that_was_cut_or_changed_loads_nothing(void **state)
{
    struct world a;
    struct tape tape = {0};
    static struct store_sums sums;
    world_open(&a, state);
    fill_people(&a);
    assert_ok(store_dump(a.store, 1, record, &tape, &sums));
    const char *text = buf_text(&tape.text);
    for (size_t part = 1; part < 8; part++)
        load_must_fail(state, text, tape.text.len * part / 8, ERR_CORRUPT);
    load_must_fail(state, text, tape.text.len - 1, ERR_CORRUPT);
    load_must_fail(state, text, 0, ERR_CORRUPT);
    char *changed = strstr(tape.text.data, "\"ada\"");
    assert_non_null(changed);
    changed[1] = 'e';
    load_must_fail(state, text, tape.text.len, ERR_CORRUPT);
    changed[1] = 'a';
    char *schema = strstr(tape.text.data, "\"schema\":");
    schema[9]++;
    load_must_fail(state, text, tape.text.len, ERR_UNSUPPORTED);
    buf_done(&tape.text);
    world_close(&a);
}

static void a_failing_database_ends_the_dump_and_the_load(void **state)
{
    struct world a, b;
    struct tape tape = {0};
    static struct store_sums sums;
    world_open(&a, state);
    world_open(&b, state);
    fill_people(&a);
    store_fault(a.store, 7, false);
    assert_err(store_dump(a.store, 1, record, &tape, &sums), ERR_IO);
    buf_clear(&tape.text);
    assert_ok(store_dump(a.store, 1, record, &tape, &sums));
    store_fault(b.store, 30, false);
    assert_err(store_load(b.store, play, &tape, &sums), ERR_IO);
    tape.at = 0;
    assert_ok(store_load(b.store, play, &tape, &sums));
    buf_done(&tape.text);
    world_close(&a);
    world_close(&b);
}

static void a_copy_in_another_kind_of_database_has_the_same_digests(void **state)
{
    struct world a;
    struct store *memory, *file;
    static struct store_sums here, there;
    char where[DATABASE_WHERE_BYTES + 16];
    world_open(&a, state);
    fill(&a);
    snprintf(where, sizeof where, "sqlite:%s", temp_path(&a.databases->folder, "copy.db"));
    assert_ok(store_open("memory:", &memory));
    assert_ok(store_open(where, &file));
    assert_ok(store_copy(a.store, memory));
    assert_ok(store_copy(memory, file));
    assert_err(store_copy(memory, file), ERR_CONFLICT);
    assert_ok(store_dump(a.store, 1, NULL, NULL, &here));
    assert_ok(store_dump(file, 1, NULL, NULL, &there));
    assert_ok(store_sums_compare(&here, &there));
    there.tables[3].digest.bytes[0] ^= 1;
    assert_err(store_sums_compare(&here, &there), ERR_CORRUPT);
    store_close(memory);
    store_close(file);
    unlink(where + strlen("sqlite:"));
    world_close(&a);
}

static void what_is_there_can_be_looked_at_without_changing_it(void **state)
{
    struct world a;
    struct store_about about;
    struct buf BUF_AUTO wrong = {0};
    struct store *reader;
    static struct store_sums sums;
    world_open(&a, state);
    if (!a.databases->kept) {
        world_close(&a);
        return;
    }
    fill_people(&a);
    assert_ok(store_about(a.where, &about));
    assert_int_equal(about.version, STORE_SCHEMA_VERSION);
    assert_true(strlen(about.engine) > 6);
    assert_ok(store_check(a.where, &wrong));
    assert_string_equal(buf_text(&wrong), "");
    assert_ok(store_open_existing(a.where, &reader));
    assert_ok(store_dump(reader, 1, NULL, NULL, &sums));
    assert_int_equal(rows_of(&sums, "account"), 1);
    assert_err(store_begin(reader, true), ERR_DENIED);
    store_close(reader);
    world_close(&a);
}

static void a_schema_of_another_version_is_not_opened_for_care(void **state)
{
    struct databases *d = *state;
    char where[DATABASE_WHERE_BYTES];
    struct store *s;
    struct store_about about;
    if (!d->kept)
        return;
    database_new(d, where);
    assert_ok(store_open(where, &s));
    store_close(s);
    assert_ok(store_migrate(where, 0));
    assert_ok(store_about(where, &about));
    assert_int_equal(about.version, 0);
    assert_err(store_open_existing(where, &s), ERR_UNSUPPORTED);
}

/* --- only SQLite has files --- */

static void a_backup_is_one_moment_while_it_is_written_to(void **state)
{
    struct world a;
    struct store *reader, *copy;
    char path[TEMP_PATH_BYTES], where[DATABASE_WHERE_BYTES];
    static struct store_sums before, after;
    struct buf BUF_AUTO wrong = {0};
    world_open(&a, state);
    fill(&a);
    assert_ok(store_dump(a.store, 1, NULL, NULL, &before));
    snprintf(path, sizeof path, "%s", temp_path(&a.databases->folder, "backup.db"));
    assert_ok(store_reader_open(a.store, &reader));
    assert_ok(store_begin(reader, false)); /* its moment is now, and a backup has its own */
    store_rollback(reader);
    assert_ok(store_backup(reader, path));
    world_units(&a, 9, 10);
    assert_err(store_backup(reader, path), ERR_CONFLICT);
    snprintf(where, sizeof where, "sqlite:%s", path);
    assert_ok(store_check(where, &wrong));
    assert_string_equal(buf_text(&wrong), "");
    assert_ok(store_open_existing(where, &copy));
    assert_ok(store_dump(copy, 1, NULL, NULL, &after));
    assert_ok(store_sums_compare(&before, &after));
    store_close(copy);
    store_close(reader);
    unlink(path);
    world_close(&a);
}

static void a_damaged_file_is_found(void **state)
{
    struct world a;
    struct buf BUF_AUTO bytes = {0}, BUF_AUTO wrong = {0};
    char path[TEMP_PATH_BYTES], where[DATABASE_WHERE_BYTES];
    world_open(&a, state);
    fill(&a);
    snprintf(path, sizeof path, "%s", temp_path(&a.databases->folder, "damaged.db"));
    snprintf(where, sizeof where, "sqlite:%s", path);
    assert_err(store_check(where, &wrong), ERR_MISSING);
    assert_false(file_exists(path));
    assert_ok(store_backup(a.store, path));
    assert_ok(file_read(path, 64 << 20, &bytes));
    for (size_t i = bytes.len / 3; i < bytes.len / 3 + 20000; i++)
        bytes.data[i] = (char)(i * 7);
    assert_ok(file_write_atomic(path, bytes.data, bytes.len, 0600));
    enum err e = store_check(where, &wrong);
    assert_true(e == ERR_CORRUPT || (e == ERR_OK && wrong.len > 0));
    world_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_was_dumped_is_there_after_it_was_loaded),
        cmocka_unit_test(loading_into_a_store_that_holds_something_changes_nothing),
        cmocka_unit_test(a_dump_that_was_cut_or_changed_loads_nothing),
        cmocka_unit_test(a_failing_database_ends_the_dump_and_the_load),
        cmocka_unit_test(a_copy_in_another_kind_of_database_has_the_same_digests),
        cmocka_unit_test(what_is_there_can_be_looked_at_without_changing_it),
        cmocka_unit_test(a_schema_of_another_version_is_not_opened_for_care),
    };
    const struct CMUnitTest files[] = {
        cmocka_unit_test(a_backup_is_one_moment_while_it_is_written_to),
        cmocka_unit_test(a_damaged_file_is_found),
    };
    return DATABASE_RUN(tests) +
           database_run_one(DATABASE_SQLITE, __FILE_NAME__, files, sizeof files / sizeof *files);
}
