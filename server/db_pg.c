/* db_pg.c - PostgreSQL, for several servers on one database. With db_pg_link.c the only user of libpq.
 *
 * One statement for each kind of write, over arrays; writes are sent one after the other and their outcomes
 * read together (libpq's pipeline). READ COMMITTED is enough: what a writer relies on is in its guards, which
 * are looked at again once a row's lock was waited for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "server/db_pg_link.h"
#include "server/db_sql.h"
#include "server/try.h"

static struct pg *of(struct db *db)
{
    return (struct pg *)db;
}

/* --- the verbs --- */

static enum err pg_write_later(struct db *db, const struct db_write *w, const struct db_value *rows,
                               uint32_t count, uint32_t *ret_changed)
{
    struct pg *p = of(db);
    TRY(link_ready(p));
    for (uint32_t i = 0; i < w->count; i++)
        TRY(pg_params_add_array(&p->params, w->table->columns[w->columns[i].column].kind, rows + i, w->count,
                                count));
    return link_send(p, PG_WRITE, w, w->table->name, ret_changed);
}

static enum err pg_settle(struct db *db)
{
    return link_settle(of(db), NULL);
}

static enum err pg_write(struct db *db, const struct db_write *w, const struct db_value *rows, uint32_t count,
                         uint32_t *ret_changed)
{
    TRY(pg_write_later(db, w, rows, count, ret_changed));
    return pg_settle(db);
}

static enum err pg_fetch(struct db *db, const struct db_fetch *f, const struct db_value *keys,
                         uint32_t key_count, struct db_rows to)
{
    struct pg *p = of(db);
    uint32_t width = db_fetch_width(f);
    TRY(link_ready(p));
    for (uint32_t i = 0; i < width; i++) {
        uint32_t column = f->index == DB_BY_KEY ? i : f->table->indexes[f->index].columns[i];
        TRY(pg_params_add_array(&p->params, f->table->columns[column].kind, keys + i, width, key_count));
    }
    TRY(link_send(p, PG_FETCH, f, f->table->name, NULL));
    return link_rows(p, f->table, f->columns, f->count, to);
}

static enum err pg_scan(struct db *db, const struct db_scan *s, const struct db_value *args, uint32_t limit,
                        struct db_rows to)
{
    struct pg *p = of(db);
    uint8_t order[DB_COLUMNS_MAX];
    struct db_value most = db_int(limit);
    db_order_columns(s->table, s->index, order);
    TRY(link_ready(p));
    for (uint32_t i = 0; i < s->equal + s->after + s->until; i++) {
        uint32_t column = order[i < s->equal ? i : s->equal];
        TRY(pg_params_add(&p->params, s->table->columns[column].kind, &args[i]));
    }
    TRY(pg_params_add(&p->params, DB_INT, &most));
    TRY(link_send(p, PG_SCAN, s, s->table->name, NULL));
    return link_rows(p, s->table, s->columns, s->count, to);
}

static enum err pg_add(struct db *db, const struct db_write *w, const struct db_value *row, int64_t *ret_sum)
{
    struct pg *p = of(db);
    TRY(link_ready(p));
    for (uint32_t i = 0; i < w->count; i++)
        TRY(pg_params_add(&p->params, w->table->columns[w->columns[i].column].kind, &row[i]));
    TRY(link_send(p, PG_ADD, w, w->table->name, NULL));
    return link_number(p, ret_sum);
}

/* --- transactions --- */

static enum err pg_ping(struct db *db)
{
    struct pg *p = of(db);
    int64_t one;
    TRY(link_ready(p));
    TRY(link_say(p, "SELECT 1::bigint", "ping"));
    return link_number(p, &one);
}

/* Travels with the first statement. */
static enum err pg_begin(struct db *db, bool write)
{
    struct pg *p = of(db);
    TRY(link_usable(p));
    return link_say(p, write ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin");
}

static enum err pg_commit(struct db *db)
{
    struct pg *p = of(db);
    PGresult *r = NULL;
    TRY(link_settle(p, NULL));
    TRY(link_say(p, "COMMIT", "commit"));
    TRY(link_settle(p, &r));
    bool committed = str_eq(PQcmdStatus(r), "COMMIT"); /* of a failed transaction it is ROLLBACK */
    PQclear(r);
    return committed ? ERR_OK : err_set(ERR_IO, "the database %s has rolled back", p->name);
}

static void pg_rollback(struct db *db)
{
    struct pg *p = of(db);
    for (uint32_t i = 0; i < p->sent_count; i++)
        p->sent[i].ret_changed = NULL; /* nobody waits for it any more */
    enum err e = p->conn ? link_settle(p, NULL) : ERR_OK;
    if (!p->conn || PQtransactionStatus(p->conn) == PQTRANS_IDLE)
        return;
    e = link_say(p, "ROLLBACK", "rollback");
    if (e == ERR_OK)
        e = link_settle(p, NULL);
    if (e != ERR_OK)
        link_close(p);
}

/* --- the schema --- */

static enum err do_now(struct pg *p, const char *sql, const char *what)
{
    TRY(link_ready(p));
    TRY(link_say(p, sql, what));
    return link_settle(p, NULL);
}

/* Within a transaction that writes, other servers wait here until it ends: one of them changes the schema.
 * That may take longer than anything else a lock is waited for. */
static enum err pg_version(struct db *db, uint32_t *ret_version)
{
    struct pg *p = of(db);
    int64_t there, version = 0;
    if (db->in_transaction && !p->reader) {
        TRY(do_now(p, "SET LOCAL lock_timeout='10min'", "schema"));
        TRY(do_now(p, "SET LOCAL statement_timeout=0", "schema"));
        TRY(do_now(p, "SELECT pg_advisory_xact_lock(7236825117342)", "schema"));
    }
    TRY(link_ready(p));
    /* Not to_regclass(): within a transaction it may still say what was true before the wait. */
    TRY(link_say(p,
                 "SELECT count(*) FROM pg_tables WHERE tablename='schema_version' AND "
                 "schemaname=ANY(current_schemas(false))",
                 "schema"));
    TRY(link_number(p, &there));
    if (there) {
        TRY(link_say(p, "SELECT coalesce(max(version),0) FROM schema_version", "schema"));
        TRY(link_number(p, &version));
    }
    *ret_version = (uint32_t)version;
    return ERR_OK;
}

static enum err pg_set_version(struct db *db, uint32_t version)
{
    char sql[96];
    struct pg *p = of(db);
    TRY(do_now(p, "CREATE TABLE IF NOT EXISTS schema_version(version bigint NOT NULL)", "schema"));
    TRY(do_now(p, "DELETE FROM schema_version", "schema"));
    snprintf(sql, sizeof sql, "INSERT INTO schema_version VALUES(%u)", version);
    return do_now(p, sql, "schema");
}

static enum err pg_change_schema(struct db *db, enum db_change change, const struct db_table *t, uint32_t at)
{
    struct buf BUF_AUTO sql = {0};
    TRY(db_sql_change(DB_PG, change, t, at, &sql));
    return do_now(of(db), buf_text(&sql), t->name);
}

static enum err pg_about(struct db *db, char *ret, size_t room)
{
    struct pg *p = of(db);
    TRY(link_usable(p));
    int version = PQserverVersion(p->conn);
    snprintf(ret, room, "PostgreSQL %d.%d", version / 10000, version % 10000);
    return ERR_OK;
}

/* --- opening --- */

static void pg_close(struct db *db)
{
    struct pg *p = of(db);
    link_close(p);
    pg_params_done(&p->params);
    free(p->url);
    free(p);
}

static enum err open_at(const char *url, bool reader, struct db **ret_db);

static enum err pg_open_reader(struct db *db, struct db **ret_db)
{
    return open_at(of(db)->url, true, ret_db);
}

static const struct db_driver driver = {
    .open_reader = pg_open_reader,
    .close = pg_close,
    .ping = pg_ping,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .write = pg_write,
    .write_later = pg_write_later,
    .settle = pg_settle,
    .fetch = pg_fetch,
    .scan = pg_scan,
    .add = pg_add,
    .version = pg_version,
    .set_version = pg_set_version,
    .change_schema = pg_change_schema,
    .about = pg_about,
};

static enum err open_at(const char *url, bool reader, struct db **ret_db)
{
    struct pg *p = calloc(1, sizeof *p);
    if (!p || !(p->url = strdup(url))) {
        free(p);
        return err_set(ERR_NOMEM, "no memory to open the database");
    }
    p->db.driver = &driver;
    p->db.shared = true;
    p->reader = reader;
    enum err e = link_open(p);
    if (e != ERR_OK) {
        pg_close(&p->db);
        return e;
    }
    *ret_db = &p->db;
    return ERR_OK;
}

enum err db_pg_open(const char *url, struct db **ret_db)
{
    return open_at(url, false, ret_db);
}

enum err db_pg_open_existing(const char *url, struct db **ret_db)
{
    return open_at(url, true, ret_db);
}
