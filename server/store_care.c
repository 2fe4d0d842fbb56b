/* store_care.c - a store that is not in use: what it is, whether it is whole. */
#include "server/store_care.h"

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
