/* store_answer.c - answers: a row for each; and what was kept of them before, two rows or more by digests. */
#include "server/store_answer.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "server/answer_row.h"
#include "server/store_in.h"
#include "server/store_set_in.h"
#include "wire/answer.h"
#include "wire/answer_route.h"

static struct db_value digest_value(const struct digest *d)
{
    return db_blob(d->bytes, DIGEST_BYTES);
}

static void fill_text(struct row_in *r, void *item)
{
    *(struct text *)item = row_bytes(r, 0);
}

/* --- reading --- */

static enum err get_small(struct store *s, struct arena *a, uint32_t batch, const struct digest *digest,
                          struct text *ret)
{
    static const struct db_fetch fetch = {&schema_small, 1, {SMALL_BYTES}, .index = DB_BY_KEY};
    struct db_value key[] = {db_int(batch), digest_value(digest)};
    return collect_one(s, a, &fetch, key, fill_text, ret, "answer of this name in the batch", 0);
}

/* An empty one is there, too: its data is not NULL. */
static enum err find_output(struct store *s, struct arena *a, uint32_t batch, const struct file_ref *file,
                            struct text *ret)
{
    *ret = (struct text){0};
    if (file->bytes > INLINE_BYTES_MAX &&
        !(str_eq(file->path, ANSWER_ROUTES_PATH) && file->bytes <= ANSWER_ROUTES_BYTES_MAX))
        return ERR_OK;
    enum err e = get_small(s, a, batch, &file->sha256, ret);
    if (e == ERR_MISSING)
        return ERR_OK; /* it came as a blob */
    if (e == ERR_OK && !ret->data)
        ret->data = "";
    return e;
}

static enum err get_apart(struct store *s, struct arena *a, uint32_t batch, const struct digest *answer,
                          struct store_answer *ret)
{
    struct text manifest;
    TRY(get_small(s, a, batch, answer, &manifest));
    TRY(answer_parse(manifest.data, manifest.len, a, &ret->files, &ret->count));
    ret->data = arena_array(a, ret->count + 1u, sizeof *ret->data);
    TRY(ret->data ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < ret->count; i++)
        TRY(find_output(s, a, batch, &ret->files[i], &ret->data[i]));
    return ERR_OK;
}

enum err store_answer_get(struct store *s, struct arena *a, wu_id unit, const struct digest *answer,
                          struct store_answer *ret)
{
    static const struct db_fetch fetch = {&schema_answer, 1, {ANSWER_BODY}, .index = DB_BY_KEY};
    struct db_value key[] = {db_int((int64_t)unit), digest_value(answer)};
    struct text row;
    enum err e = collect_one(s, a, &fetch, key, fill_text, &row, "answer of this name", 0);
    if (e == ERR_MISSING)
        return get_apart(s, a, wu_id_batch(unit), answer, ret);
    return e == ERR_OK ? answer_row_read(&row, answer, a, ret) : e;
}

static void fill_key(struct row_in *r, void *item)
{
    *(struct store_answer_key *)item = (struct store_answer_key){row_u64(r, 0), row_digest(r, 1)};
}

enum err store_answer_list(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                           struct store_answer_key **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_answer, 2, {ANSWER_UNIT, ANSWER_DIGEST}, DB_BY_KEY, .after = true, .until = true};
    struct db_value args[] = {db_int((int64_t)wu_id_make(batch, 0) - 1),
                              db_int((int64_t)wu_id_make(batch, UINT32_MAX))};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_key};
    TRY(collect_scan(s, &scan, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_small(struct row_in *r, void *item)
{
    *(struct digest *)item = row_digest(r, 0);
}

enum err store_small_list(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                          struct digest **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_small, 1, {SMALL_DIGEST}, DB_BY_KEY, .equal = 1};
    struct db_value key = db_int(batch);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_small};
    TRY(collect_scan(s, &scan, &key, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

/* --- writing --- */

void store_set_answer(struct store_set *set, const struct store_answer_key *key, const struct text *row)
{
    struct db_value *v = store_set_row(set, ANSWER_NEW);
    v[ANSWER_UNIT] = db_int((int64_t)key->unit);
    v[ANSWER_DIGEST] = digest_value(&key->answer);
    v[ANSWER_BODY] = db_blob(row->data, row->len);
}

void store_set_answer_end(struct store_set *set, const struct store_answer_key *key)
{
    struct db_value *v = store_set_row(set, ANSWER_END);
    v[ANSWER_UNIT] = db_int((int64_t)key->unit);
    v[ANSWER_DIGEST] = digest_value(&key->answer);
}

void store_set_small_end(struct store_set *set, uint32_t batch, const struct digest *digest)
{
    struct db_value *v = store_set_row(set, SMALL_END);
    v[SMALL_BATCH] = db_int(batch);
    v[SMALL_DIGEST] = digest_value(digest);
}

static void small_values(struct db_value *v, uint32_t batch, const struct digest *digest,
                         const struct text *bytes)
{
    v[SMALL_BATCH] = db_int(batch);
    v[SMALL_DIGEST] = digest_value(digest);
    v[SMALL_BYTES] = db_blob(bytes->data, bytes->len);
}

enum { APART_MAX = WU_OUTPUTS_MAX + 1 };

/* The rows of `small` for one answer; room for APART_MAX of them. */
static enum err take_apart(struct arena *a, const struct store_answer_key *key, const struct text *row,
                           struct db_value *ret_values, uint32_t *ret_count)
{
    BUF_AUTO struct buf text = {0};
    struct store_answer answer;
    uint32_t batch = wu_id_batch(key->unit);
    struct digest *name = arena_alloc(a, sizeof *name);
    TRY(name ? ERR_OK : ERR_NOMEM);
    *name = key->answer;
    TRY(answer_row_read(row, name, a, &answer));
    TRY(answer_print(answer.files, answer.count, &text));
    struct text manifest = {arena_bytes(a, text.data, text.len), (uint32_t)text.len};
    TRY(manifest.data ? ERR_OK : ERR_NOMEM);
    small_values(ret_values, batch, name, &manifest);
    *ret_count = 1;
    for (uint32_t i = 0; i < answer.count; i++)
        if (answer.data[i].data)
            small_values(ret_values + SMALL_COLUMN_COUNT * (*ret_count)++, batch, &answer.files[i].sha256,
                         &answer.data[i]);
    return ERR_OK;
}

enum err store_set_answer_apart(struct store_set *set, struct arena *a, const struct store_answer_key *key,
                                const struct text *row)
{
    struct db_value values[APART_MAX * SMALL_COLUMN_COUNT];
    uint32_t count;
    TRY(take_apart(a, key, row, values, &count));
    for (uint32_t i = 0; i < count; i++)
        memcpy(store_set_row(set, SMALL_NEW), values + i * SMALL_COLUMN_COUNT,
               SMALL_COLUMN_COUNT * sizeof *values);
    return ERR_OK;
}

/* --- the schema below STORE_ANSWERS_SINCE --- */

enum { PAGE_ROWS = 1000 }; /* more than a unit can have */

struct page {
    struct arena *a;
    struct store_answer_key keys[PAGE_ROWS];
    struct text rows[PAGE_ROWS];
    uint32_t count;
};

static enum err page_row(void *ctx, const struct db_value *v)
{
    struct page *p = ctx;
    struct row_in r = {.a = p->a, .v = v};
    p->keys[p->count] = (struct store_answer_key){row_u64(&r, ANSWER_UNIT), row_digest(&r, ANSWER_DIGEST)};
    p->rows[p->count++] = row_bytes(&r, ANSWER_BODY);
    return r.failed ? ERR_NOMEM : ERR_OK;
}

/* Whole units: the last one of a full page may have more rows, and is left to the next. */
static enum err next_page(struct db *db, int64_t after, struct page *p)
{
    static const struct db_scan scan = {
        &schema_answer, 3, {ANSWER_UNIT, ANSWER_DIGEST, ANSWER_BODY}, DB_BY_KEY, .after = true};
    struct db_value key = db_int(after);
    p->count = 0;
    TRY(db_scan_rows(db, &scan, &key, PAGE_ROWS, (struct db_rows){.row = page_row, .ctx = p}));
    if (p->count == PAGE_ROWS)
        for (wu_id last = p->keys[PAGE_ROWS - 1].unit; p->keys[p->count - 1].unit == last;)
            p->count--;
    return ERR_OK;
}

static enum err page_apart(struct db *db, const struct page *p)
{
    struct db_value values[APART_MAX * SMALL_COLUMN_COUNT];
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t count;
        TRY(take_apart(p->a, &p->keys[i], &p->rows[i], values, &count));
        TRY(db_write_rows(db, &store_writes[SMALL_NEW], values, count, NULL));
    }
    return ERR_OK;
}

enum err store_answers_apart(struct db *db)
{
    struct arena ARENA_AUTO memory = {0};
    struct page *p = arena_alloc(&memory, sizeof *p);
    int64_t after = -1;
    TRY(p ? ERR_OK : ERR_NOMEM);
    do {
        struct arena ARENA_AUTO a = {0};
        p->a = &a;
        TRY(next_page(db, after, p));
        TRY(page_apart(db, p));
        after = p->count ? (int64_t)p->keys[p->count - 1].unit : 0;
    } while (p->count > 0);
    return ERR_OK;
}
