/* store_answered.c - see store_answered.h */
#include "server/store_answered.h"

#include "server/store_in.h"
#include "server/store_set_in.h"

static enum err unit_row(void *ctx, const struct db_value *values)
{
    *(wu_id *)ctx = (wu_id)values[0].as.i;
    return ERR_OK;
}

enum err store_answered_find(struct store *s, const struct digest *question, wu_id *ret_unit)
{
    static const struct db_scan newest = {&schema_answered, 1,          {ANSWERED_UNIT},
                                          DB_BY_KEY,        .equal = 1, .descending = true};
    struct db_value key = db_blob(question->bytes, DIGEST_BYTES);
    wu_id found = 0;
    TRY(db_scan_rows(s->db, &newest, &key, 1, (struct db_rows){.row = unit_row, .ctx = &found}));
    *ret_unit = found;
    return ERR_OK;
}

void store_set_answered(struct store_set *set, const struct digest *question, wu_id unit)
{
    struct db_value *v = store_set_row(set, ANSWERED_NEW);
    v[ANSWERED_QUESTION] = db_blob(question->bytes, DIGEST_BYTES);
    v[ANSWERED_UNIT] = db_int((int64_t)unit);
}

void store_set_answered_end(struct store_set *set, const struct digest *question, wu_id unit)
{
    struct db_value *v = store_set_row(set, ANSWERED_END);
    v[ANSWERED_QUESTION] = db_blob(question->bytes, DIGEST_BYTES);
    v[ANSWERED_UNIT] = db_int((int64_t)unit);
}
