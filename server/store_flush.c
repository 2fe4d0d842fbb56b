/* store_flush.c - what a turn collected is written, kind by kind, and what was numbered at the last moment.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/store_in.h"
#include "server/store_load.h"
#include "server/store_set_in.h"

static const struct db_write take_number = {
    &schema_number, DB_PUT, 2, {{NUMBER_NAME, DB_KEY}, {NUMBER_VALUE, DB_ADD}}};
static const struct db_write take_seq = {
    &schema_stream, DB_PUT, 2, {{STREAM_ID, DB_KEY}, {STREAM_LAST, DB_ADD}}};

static const struct db_write take_record_seq = {
    &schema_named, DB_PUT, 2, {{NAMED_ID, DB_KEY}, {NAMED_LAST, DB_ADD}}};

/* Rows whose guard must hold, or which must be there. */
static bool must_change(enum write_kind k)
{
    return (k >= UNIT_PLAIN && k <= UNIT_SET_BOTH) || k == BATCH_LIVE_SET || k == BATCH_COUNT_ADD ||
           k == BATCH_CHANGE || k == CURSOR_MOVE || k == STAGE_MOVE || k == SCHEDULE_MOVE ||
           k == CREDENTIAL_USE || k == CREDENTIAL_END || k == TRUST_MOVE || k == HOST_FLAG ||
           k == MEMBER_ALIVE || k == MEMBER_END;
}

enum err store_take_ids(struct store *s, const char *kind, uint32_t n, uint64_t *ret_last)
{
    struct db_value row[] = {db_text(kind), db_int(n)};
    int64_t last;
    TRY(db_add(s->db, &take_number, row, &last));
    *ret_last = (uint64_t)last;
    return ERR_OK;
}

static int by_first_two(const void *x, const void *y)
{
    const struct db_value *a = x, *b = y;
    if (a[0].kind != DB_INT)
        return 0;
    if (a[0].as.i != b[0].as.i)
        return a[0].as.i < b[0].as.i ? -1 : 1;
    if (a[1].kind != DB_INT || b[1].kind != DB_INT)
        return 0;
    return a[1].as.i < b[1].as.i ? -1 : a[1].as.i > b[1].as.i;
}

/* One order for everybody: servers that write the same rows wait for each other instead of locking each other
 * out; and neighbours in the file are visited together. */
static void sort_rows(struct rows *r, uint32_t width)
{
    if (r->count > 1 && width > 1)
        qsort(r->values, r->count, width * sizeof *r->values, by_first_two);
}

/* Stable by the order in which they were told: equal streams keep it. Stream and seq are the first columns.
 */
static enum err number_within_streams(struct store *s, struct rows *r, uint32_t width,
                                      const struct db_write *take)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct db_value *first = r->values + (size_t)i * width;
        uint32_t n = 0;
        if (first[1].as.i != 0)
            continue; /* numbered with an earlier one of its stream */
        for (uint32_t k = i; k < r->count; k++)
            n += r->values[(size_t)k * width].as.i == first[0].as.i;
        struct db_value row[] = {first[0], db_int(n)};
        int64_t seq;
        TRY(db_add(s->db, take, row, &seq));
        seq -= n;
        for (uint32_t k = i; k < r->count; k++) {
            struct db_value *v = r->values + (size_t)k * width;
            if (v[0].as.i == first[0].as.i)
                v[1] = db_int(++seq);
        }
    }
    return ERR_OK;
}

static enum err number_outbox(struct store *s, struct rows *r)
{
    uint64_t last;
    if (r->count == 0)
        return ERR_OK;
    TRY(store_take_ids(s, "outbox", r->count, &last));
    for (uint32_t i = 0; i < r->count; i++)
        r->values[(size_t)i * store_writes[OUTBOX_NEW].count] = db_int((int64_t)(last - r->count + 1 + i));
    return ERR_OK;
}

/* The number is taken first: it makes other servers wait, so that each entry is chained to the one before it.
 */
static enum err chain_audit(struct store *s, struct store_set *set)
{
    struct rows *r = &set->rows[AUDIT_NEW];
    uint64_t last, seq;
    struct digest before;
    if (r->count == 0)
        return ERR_OK;
    free(set->chains);
    set->chains = malloc(r->count * sizeof *set->chains);
    if (!set->chains)
        return err_set(ERR_NOMEM, "no memory for the audit log");
    TRY(store_take_ids(s, "audit", r->count, &last));
    TRY(store_audit_last(s, &seq, &before));
    for (uint32_t i = 0; i < r->count; i++) {
        struct db_value *v = r->values + (size_t)i * store_writes[AUDIT_NEW].count;
        struct store_audit e = {
            .seq = last - r->count + 1 + i,
            .at_ms = v[AUDIT_AT].as.i,
            .user_id = (uint64_t)v[AUDIT_USER].as.i,
            .action = v[AUDIT_ACTION].as.p,
            .subject = v[AUDIT_SUBJECT].as.p,
            .detail = {.data = v[AUDIT_DETAIL].as.p, .len = v[AUDIT_DETAIL].len},
        };
        before = set->chains[i] = store_audit_chain(&before, &e);
        v[AUDIT_SEQ] = db_int((int64_t)e.seq);
        v[AUDIT_CHAIN] = db_blob(set->chains[i].bytes, DIGEST_BYTES);
    }
    return ERR_OK;
}

static enum err write_kind(struct store *s, struct store_set *set, enum write_kind k)
{
    struct rows *r = &set->rows[k];
    set->changed[k] = 0;
    if (r->count == 0)
        return ERR_OK;
    if (k == DELIVERY_NEW)
        TRY(number_within_streams(s, r, store_writes[k].count, &take_seq));
    else if (k == RECORD_NEW)
        TRY(number_within_streams(s, r, store_writes[k].count, &take_record_seq));
    else if (k == OUTBOX_NEW)
        TRY(number_outbox(s, r));
    else if (k == AUDIT_NEW)
        TRY(chain_audit(s, set));
    else
        sort_rows(r, store_writes[k].count);
    return db_write_later(s->db, &store_writes[k], r->values, r->count, &set->changed[k]);
}

static enum err check_guards(const struct store_set *set)
{
    for (uint32_t k = 0; k < WRITE_KINDS; k++)
        if (must_change((enum write_kind)k) && set->changed[k] != set->rows[k].count)
            return err_set(ERR_CONFLICT, "somebody else has changed %s meanwhile",
                           store_writes[k].table->name);
    return ERR_OK;
}

enum err store_set_write(struct store *s, struct store_set *set)
{
    enum err e = set->failed ? err_set(ERR_NOMEM, "no memory to write what changed") : ERR_OK;
    for (uint32_t k = 0; k < WRITE_KINDS && e == ERR_OK; k++)
        e = write_kind(s, set, (enum write_kind)k);
    if (e == ERR_OK)
        e = db_settle(s->db);
    if (e == ERR_OK)
        e = check_guards(set);
    store_set_clear(set);
    return e;
}

enum err store_commit(struct store *s)
{
    s->writing = false;
    int64_t begun_us = clock_mono_us();
    enum err e = db_commit(s->db);
    s->commit_us += (uint64_t)(clock_mono_us() - begun_us);
    return e;
}

uint64_t store_commit_us(const struct store *s)
{
    return s->commit_us;
}
