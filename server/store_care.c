/* store_care.c - a store that is not in use: what it is, whether it is whole. */
#include "server/store_care.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/store_in.h"

enum err store_open_existing(const char *where, struct store **ret_store)
{
    struct db *db;
    uint32_t version = 0;
    TRY(db_open_existing(where, &db));
    enum err e = schema_version(db, &version);
    if (e == ERR_OK && version != STORE_SCHEMA_VERSION)
        e = err_set(
            ERR_UNSUPPORTED,
            "the data has schema version %u, this program's is %d: start the server once, which migrates it",
            version, STORE_SCHEMA_VERSION);
    if (e == ERR_OK)
        return store_wrap(db, where, ret_store);
    db_close(db);
    return e;
}

enum err store_about(const char *where, struct store_about *ret)
{
    struct db *db;
    struct store_about about = {.engine = ""};
    TRY(db_open_existing(where, &db));
    enum err e = db_about(db, about.engine, sizeof about.engine);
    if (e == ERR_OK)
        e = db_version(db, &about.version);
    db_close(db);
    if (e == ERR_OK)
        *ret = about;
    return e;
}

enum err store_check(const char *where, struct buf *out)
{
    struct db *db;
    TRY(db_open_existing(where, &db));
    enum err e = db_check(db, out);
    db_close(db);
    return e;
}

enum err store_backup(struct store *s, const char *path)
{
    return db_backup(s->db, path);
}

/* An entry holds against the one before it. */
static enum err link_holds(const struct store_audit *e, uint64_t before_seq, const struct digest *before)
{
    if (e->seq != before_seq + 1)
        return err_set(ERR_CORRUPT, "the audit log has no entry %" PRIu64 ": somebody removed it",
                       e->seq - 1);
    struct digest chain = store_audit_chain(before, e);
    return digest_eq(&chain, &e->chain)
               ? ERR_OK
               : err_set(ERR_CORRUPT,
                         "entry %" PRIu64
                         " of the audit log, or the one before it, is not as it was written: %s %s",
                         e->seq, e->action, e->subject);
}

enum err store_audit_verify(struct store *s, uint64_t wanted_seq, const struct digest *wanted,
                            uint64_t *ret_count, struct digest *ret_last)
{
    static const struct digest none = {{0}};
    bool seen = !wanted;
    uint64_t after = 0;
    *ret_count = 0;
    *ret_last = none;
    do { /* the newest first; the last entry of a page is held against the first of the next */
        ARENA_AUTO struct arena a = {0};
        struct store_audit *list;
        uint32_t count;
        TRY(store_audit_list(s, &a, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            bool last = i + 1 == count;
            if (after == 0 && i == 0) {
                *ret_count = list[0].seq;
                *ret_last = list[0].chain;
            }
            if (wanted && list[i].seq == wanted_seq)
                seen = digest_eq(&list[i].chain, wanted);
            if (!last)
                TRY(link_holds(&list[i], list[i + 1].seq, &list[i + 1].chain));
            else if (count < STORE_PAGE_MAX)
                TRY(link_holds(&list[i], 0, &none));
        }
        if (count < STORE_PAGE_MAX)
            break;
        after = list[count - 2].seq; /* so that the last one comes again, with its neighbour */
    } while (true);
    return seen ? ERR_OK
                : err_set(ERR_CORRUPT,
                          "entry %" PRIu64
                          " of the audit log is not there, or another than the one that was noted",
                          wanted_seq);
}
