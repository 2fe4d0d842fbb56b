/* store_archive.c - see store_archive.h */
#include "server/store_archive.h"

#include "server/store_in.h"
#include "server/store_set_in.h"

#define NUMBER_ARCHIVE(N, n, k) ARCHIVE_##N,

static void fill_archive(struct row_in *r, void *item)
{
    *(struct store_archive *)item = (struct store_archive){.batch = row_u32(r, ARCHIVE_BATCH),
                                                           .file = row_digest(r, ARCHIVE_FILE),
                                                           .bytes = row_u64(r, ARCHIVE_BYTES),
                                                           .units = row_u64(r, ARCHIVE_UNITS),
                                                           .made_ms = row_int(r, ARCHIVE_MADE)};
}

enum err store_archive_get(struct store *s, struct arena *a, uint32_t batch, struct store_archive *ret)
{
    static const struct db_fetch fetch = {
        &schema_archive, ARCHIVE_COLUMN_COUNT, {ARCHIVE_COLUMNS(NUMBER_ARCHIVE)}, .index = DB_BY_KEY};
    struct db_value key = db_int(batch);
    return collect_one(s, a, &fetch, &key, fill_archive, ret, "archive of batch", batch);
}

void store_set_archive(struct store_set *set, const struct store_archive *archive)
{
    struct db_value *v = store_set_row(set, ARCHIVE_NEW);
    v[ARCHIVE_BATCH] = db_int(archive->batch);
    v[ARCHIVE_FILE] = db_blob(archive->file.bytes, DIGEST_BYTES);
    v[ARCHIVE_BYTES] = db_int((int64_t)archive->bytes);
    v[ARCHIVE_UNITS] = db_int((int64_t)archive->units);
    v[ARCHIVE_MADE] = db_int(archive->made_ms);
}

/* Each unit is delivered once: the entries of its batch's stream are as many as its units, and go with them.
 */
void store_set_unit_end(struct store_set *set, wu_id id)
{
    struct db_value *v = store_set_row(set, UNIT_END);
    v[0] = db_int((int64_t)id);
    v = store_set_row(set, DELIVERY_END);
    v[0] = db_int(wu_id_batch(id));
    v[1] = db_int((int64_t)wu_id_index(id) + 1);
}

void store_set_note_end(struct store_set *set, wu_id unit, uint32_t attempt)
{
    struct db_value *v = store_set_row(set, NOTE_END);
    v[0] = db_int((int64_t)unit);
    v[1] = db_int(attempt);
}
