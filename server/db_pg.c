/* db_pg.c - PostgreSQL, for several servers on one database. The only user of libpq.
 *
 * One statement for each kind of write, over arrays; writes are sent one after the other and their outcomes
 * read together (libpq's pipeline). READ COMMITTED is enough: what a writer relies on is in its guards, which
 * are looked at again once a row's lock was waited for. */
#include <assert.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "server/db_driver.h"
#include "server/db_pg_wire.h"
#include "server/db_sql.h"
#include "server/try.h"

enum { STATEMENTS_MAX = 256, SENT_MAX = 64, NAME_BYTES = 128, BINARY = 1 };

enum statement_kind { WRITE, FETCH, SCAN, ADD };

struct prepared {
    const void *of; /* descriptor */
    bool known;     /* to the server */
};

struct sent {
    const char *what;          /* table, or what is done: for the sentence of an error */
    struct prepared *prepares; /* NULL: it is executed */
    uint32_t *ret_changed;     /* may be NULL */
};

struct pg {
    struct db db;
    PGconn *conn;          /* NULL: not connected */
    char *url;             /* may hold a password */
    char name[NAME_BYTES]; /* for people */
    bool reader;
    struct prepared prepared[STATEMENTS_MAX];
    struct sent sent[SENT_MAX]; /* what no answer was read of */
    uint32_t sent_count;
    struct pg_params params;
};

static struct pg *of(struct db *db)
{
    return (struct pg *)db;
}

/* --- errors --- */

/* By classes of SQLSTATE and a few single ones. */
static enum err kind_of_error(const char *state)
{
    static const struct {
        const char *state;
        enum err e;
    } kinds[] = {
        {"23505", ERR_CONFLICT}, /* unique */
        {"40", ERR_CONFLICT},    /* serialisation, deadlock */
        {"55P03", ERR_BUSY},     /* a lock was waited for too long */
        {"53100", ERR_FULL},        {"53200", ERR_NOMEM},   {"53", ERR_BUSY},
        {"08", ERR_UNREACHABLE},    {"57014", ERR_TIMEOUT}, {"57", ERR_UNREACHABLE},
        {"25P03", ERR_UNREACHABLE}, /* ended for doing nothing within a transaction */
        {"25006", ERR_UNREACHABLE}, /* it has become a standby: the next connection finds the other one */
        {"XX001", ERR_CORRUPT},     {"XX002", ERR_CORRUPT},
    };
    for (size_t i = 0; state && i < sizeof kinds / sizeof *kinds; i++)
        if (str_starts(state, kinds[i].state))
            return kinds[i].e;
    return ERR_IO;
}

static void one_line(char *text)
{
    for (size_t n = strlen(text); n > 0 && text[n - 1] == '\n'; n--)
        text[n - 1] = 0;
    for (; *text; text++)
        if (*text == '\n')
            *text = ' ';
}

static void disconnect(struct pg *p)
{
    PQfinish(p->conn);
    p->conn = NULL;
    p->sent_count = 0;
    for (uint32_t i = 0; i < STATEMENTS_MAX; i++)
        p->prepared[i].known = false;
}

static enum err lost(struct pg *p)
{
    char why[256] = "";
    if (p->conn)
        snprintf(why, sizeof why, "%s", PQerrorMessage(p->conn));
    one_line(why);
    disconnect(p);
    return err_set(ERR_UNREACHABLE, "the database %s has gone away: %s", p->name, why);
}

/* Only the first line of what the server says: its details quote values. */
static enum err fail(const struct pg *p, const PGresult *r, const char *what)
{
    const char *says = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    return err_set(kind_of_error(PQresultErrorField(r, PG_DIAG_SQLSTATE)), "the database %s: %s: %s", p->name,
                   what, says ? says : "it was aborted");
}

/* --- connecting --- */

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (str_eq(options->keyword, keyword))
            return options->val ? options->val : "";
    return "";
}

/* What libpq says of a URL that it cannot read quotes it, so that is not passed on. */
static enum err name_it(struct pg *p)
{
    PQconninfoOption *options = PQconninfoParse(p->url, NULL);
    if (!options)
        return err_set(ERR_INVALID, "the URL of the database cannot be read: use "
                                    "postgres://USER@HOST:PORT/NAME, with %%XX for special characters");
    const char *host = option(options, "host"), *dbname = option(options, "dbname");
    snprintf(p->name, sizeof p->name, "%s at %s", *dbname ? dbname : "of PostgreSQL",
             *host ? host : "this machine");
    PQconninfoFree(options);
    return ERR_OK;
}

static void say_nothing(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

/* The planner's choices are narrowed to what is always right here: every statement finds its rows through an
 * index and in the order of its arrays (which is also the order in which rows are locked), whatever
 * statistics say of tables that grow from nothing to millions of rows within an hour. */
static const char settings[] =
    "SET plan_cache_mode=force_generic_plan;SET enable_seqscan=off;SET enable_bitmapscan=off;"
    "SET enable_hashjoin=off;SET enable_mergejoin=off;SET jit=off;"
    "SET lock_timeout='5s';SET idle_in_transaction_session_timeout='60s';";
static const char settings_reader[] = "SET default_transaction_read_only=on;SET statement_timeout='30s'";
/* Nothing is acknowledged before it is durable, whatever the server's default is. */
static const char settings_writer[] = "SELECT CASE WHEN current_setting('synchronous_commit')='off' THEN "
                                      "set_config('synchronous_commit','on',false) END";

static enum err set_up(struct pg *p)
{
    char sql[1024];
    const char *encoding = PQparameterStatus(p->conn, "server_encoding");
    if (!str_eq(encoding, "UTF8"))
        return err_set(ERR_UNSUPPORTED, "the database %s keeps text as %s: make one with encoding UTF8",
                       p->name, encoding ? encoding : "something else");
    snprintf(sql, sizeof sql, "%s%s", settings, p->reader ? settings_reader : settings_writer);
    PGresult *r = PQexec(p->conn, sql);
    bool fine = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
    enum err e = fine ? ERR_OK : fail(p, r, "setting up");
    PQclear(r);
    if (e == ERR_OK && !PQenterPipelineMode(p->conn))
        return lost(p);
    return e;
}

static enum err connect_now(struct pg *p)
{
    /* What the URL says wins over what stands before it. */
    const char *keywords[] = {
        "connect_timeout",           "keepalives_idle", "tcp_user_timeout", "target_session_attrs",
        "fallback_application_name", "dbname",          "client_encoding",  NULL};
    const char *values[] = {"5",      "20",   "30000", p->reader ? "any" : "read-write",
                            "dugnad", p->url, "UTF8",  NULL};
    char why[512];
    p->conn = PQconnectdbParams(keywords, values, 1);
    if (!p->conn)
        return err_set(ERR_NOMEM, "no memory to connect to the database");
    if (PQstatus(p->conn) != CONNECTION_OK) {
        snprintf(why, sizeof why, "%s", PQerrorMessage(p->conn));
        one_line(why);
        disconnect(p);
        return err_set(ERR_UNREACHABLE, "the database %s cannot be reached: %s", p->name, why);
    }
    PQsetNoticeProcessor(p->conn, say_nothing, NULL);
    enum err e = set_up(p);
    if (e != ERR_OK)
        disconnect(p);
    return e;
}

/* Notices without a round trip that the server was restarted meanwhile. */
static enum err usable(struct pg *p)
{
    enum { MESSAGES_MAX = 8 };
    for (int i = 0; p->conn && i < MESSAGES_MAX; i++) {
        struct pollfd fd = {.fd = PQsocket(p->conn), .events = POLLIN};
        if (PQstatus(p->conn) == CONNECTION_OK && poll(&fd, 1, 0) == 0)
            return ERR_OK;
        if (!PQconsumeInput(p->conn) || PQstatus(p->conn) != CONNECTION_OK)
            disconnect(p);
    }
    return p->conn ? ERR_OK : connect_now(p);
}

/* --- sending and reading --- */

static enum err outcome(const struct pg *p, const struct sent *s, PGresult *r)
{
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        if (s->ret_changed)
            *s->ret_changed = (uint32_t)strtoul(PQcmdTuples(r), NULL, 10);
        return ERR_OK;
    case PGRES_PIPELINE_ABORTED:
        return err_set(ERR_IO, "the database %s: %s: an earlier statement failed", p->name, s->what);
    default:
        return fail(p, r, s->what);
    }
}

/* Reads the outcomes of all that was sent; the first error is returned, and the rows of the last statement.
 */
static enum err settle(struct pg *p, PGresult **ret_rows)
{
    enum err e = ERR_OK;
    PGresult *rows = NULL;
    uint32_t count = p->sent_count;
    if (count == 0)
        return ERR_OK;
    if (!PQpipelineSync(p->conn))
        return lost(p);
    for (uint32_t i = 0; i < count; i++) {
        PGresult *r = PQgetResult(p->conn);
        if (!r)
            break;
        if (e == ERR_OK)
            e = outcome(p, &p->sent[i], r);
        if (p->sent[i].prepares)
            p->sent[i].prepares->known = PQresultStatus(r) == PGRES_COMMAND_OK;
        PQclear(rows);
        rows = r;
        while ((r = PQgetResult(p->conn)))
            PQclear(r);
    }
    PGresult *end = PQstatus(p->conn) == CONNECTION_OK ? PQgetResult(p->conn) : NULL;
    bool in_step = PQresultStatus(end) == PGRES_PIPELINE_SYNC;
    PQclear(end);
    p->sent_count = 0;
    if (!in_step) {
        PQclear(rows);
        return e == ERR_UNREACHABLE ? (disconnect(p), e) : lost(p);
    }
    if (e == ERR_OK && ret_rows)
        *ret_rows = rows;
    else
        PQclear(rows);
    return e;
}

static struct sent *expect(struct pg *p, const char *what)
{
    assert(p->sent_count < SENT_MAX);
    struct sent *s = &p->sent[p->sent_count++];
    *s = (struct sent){.what = what};
    return s;
}

/* A statement of its own, without parameters. */
static enum err say(struct pg *p, const char *sql, const char *what)
{
    if (p->sent_count == SENT_MAX)
        TRY(settle(p, NULL));
    if (!p->conn || !PQsendQueryParams(p->conn, sql, 0, NULL, NULL, NULL, NULL, BINARY))
        return lost(p);
    expect(p, what);
    return ERR_OK;
}

static enum err sql_for(enum statement_kind kind, const void *descriptor, struct buf *out)
{
    switch (kind) {
    case WRITE:
        return db_sql_write(DB_PG, descriptor, out);
    case FETCH:
        return db_sql_fetch(DB_PG, descriptor, out);
    case SCAN:
        return db_sql_scan(DB_PG, descriptor, out);
    case ADD:
        return db_sql_add(DB_PG, descriptor, out);
    }
    return ERR_INVALID;
}

static enum err prepare(struct pg *p, enum statement_kind kind, struct prepared *is, const char *name)
{
    struct buf BUF_AUTO sql = {0};
    TRY(sql_for(kind, is->of, &sql));
    if (!PQsendPrepare(p->conn, name, buf_text(&sql), p->params.count, p->params.types))
        return lost(p);
    expect(p, "preparing")->prepares = is;
    is->known = true; /* as far as what is sent after it is concerned */
    return ERR_OK;
}

/* Sends a statement with p->params. */
static enum err send(struct pg *p, enum statement_kind kind, const void *descriptor, const char *what,
                     uint32_t *ret_changed)
{
    char name[16];
    uint32_t at = (uint32_t)(((uintptr_t)descriptor >> 3) * 0x9e3779b1u) % STATEMENTS_MAX, tries = 0;
    while (p->prepared[at].of && p->prepared[at].of != descriptor && ++tries < STATEMENTS_MAX)
        at = (at + 1) % STATEMENTS_MAX;
    struct prepared *is = &p->prepared[at];
    if (is->of && is->of != descriptor)
        return err_set(ERR_LIMIT, "more than %d statements are prepared", STATEMENTS_MAX);
    is->of = descriptor;
    snprintf(name, sizeof name, "s%u", at);
    if (p->sent_count + 2 > SENT_MAX)
        TRY(settle(p, NULL));
    if (!p->conn)
        return lost(p);
    pg_params_end(&p->params);
    if (!is->known)
        TRY(prepare(p, kind, is, name));
    if (!PQsendQueryPrepared(p->conn, name, p->params.count, p->params.values, p->params.lengths,
                             p->params.formats, BINARY))
        return lost(p);
    expect(p, what)->ret_changed = ret_changed;
    return ERR_OK;
}

/* Outside a transaction a lost connection is made again first. */
static enum err ready(struct pg *p)
{
    pg_params_clear(&p->params);
    return p->db.in_transaction ? ERR_OK : usable(p);
}

static enum err give(const PGresult *r, const struct db_table *t, const uint8_t *columns, uint32_t count,
                     struct db_rows to)
{
    struct db_value values[DB_COLUMNS_MAX];
    for (int row = 0; row < PQntuples(r); row++) {
        for (uint32_t i = 0; i < count; i++) {
            int c = (int)i;
            const char *bytes = PQgetisnull(r, row, c) ? NULL : PQgetvalue(r, row, c);
            TRY(pg_value_read(t->columns[columns[i]].kind, bytes, (uint32_t)PQgetlength(r, row, c),
                              &values[i]));
        }
        TRY(to.row(to.ctx, values));
    }
    return ERR_OK;
}

/* All rows are here before the first is given, so that its reader may ask for something else. */
static enum err read_rows(struct pg *p, const struct db_table *t, const uint8_t *columns, uint32_t count,
                          struct db_rows to)
{
    PGresult *r = NULL;
    TRY(settle(p, &r));
    enum err e = give(r, t, columns, count, to);
    PQclear(r);
    return e;
}

static enum err read_number(struct pg *p, int64_t *ret)
{
    PGresult *r = NULL;
    struct db_value v = db_null();
    TRY(settle(p, &r));
    bool there = PQntuples(r) == 1 && !PQgetisnull(r, 0, 0);
    enum err e = there ? pg_value_read(DB_INT, PQgetvalue(r, 0, 0), (uint32_t)PQgetlength(r, 0, 0), &v)
                       : err_set(ERR_MISSING, "the database %s has no such row", p->name);
    PQclear(r);
    if (e == ERR_OK)
        *ret = v.as.i;
    return e;
}

/* --- the verbs --- */

static enum err pg_write_later(struct db *db, const struct db_write *w, const struct db_value *rows,
                               uint32_t count, uint32_t *ret_changed)
{
    struct pg *p = of(db);
    TRY(ready(p));
    for (uint32_t i = 0; i < w->count; i++)
        TRY(pg_params_add_array(&p->params, w->table->columns[w->columns[i].column].kind, rows + i, w->count,
                                count));
    return send(p, WRITE, w, w->table->name, ret_changed);
}

static enum err pg_settle(struct db *db)
{
    return settle(of(db), NULL);
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
    TRY(ready(p));
    for (uint32_t i = 0; i < width; i++) {
        uint32_t column = f->index == DB_BY_KEY ? i : f->table->indexes[f->index].columns[i];
        TRY(pg_params_add_array(&p->params, f->table->columns[column].kind, keys + i, width, key_count));
    }
    TRY(send(p, FETCH, f, f->table->name, NULL));
    return read_rows(p, f->table, f->columns, f->count, to);
}

static enum err pg_scan(struct db *db, const struct db_scan *s, const struct db_value *args, uint32_t limit,
                        struct db_rows to)
{
    struct pg *p = of(db);
    uint8_t order[DB_COLUMNS_MAX];
    struct db_value most = db_int(limit);
    db_order_columns(s->table, s->index, order);
    TRY(ready(p));
    for (uint32_t i = 0; i < s->equal + s->after + s->until; i++) {
        uint32_t column = order[i < s->equal ? i : s->equal];
        TRY(pg_params_add(&p->params, s->table->columns[column].kind, &args[i]));
    }
    TRY(pg_params_add(&p->params, DB_INT, &most));
    TRY(send(p, SCAN, s, s->table->name, NULL));
    return read_rows(p, s->table, s->columns, s->count, to);
}

static enum err pg_add(struct db *db, const struct db_write *w, const struct db_value *row, int64_t *ret_sum)
{
    struct pg *p = of(db);
    TRY(ready(p));
    for (uint32_t i = 0; i < w->count; i++)
        TRY(pg_params_add(&p->params, w->table->columns[w->columns[i].column].kind, &row[i]));
    TRY(send(p, ADD, w, w->table->name, NULL));
    return read_number(p, ret_sum);
}

/* --- transactions --- */

static enum err pg_ping(struct db *db)
{
    struct pg *p = of(db);
    int64_t one;
    TRY(ready(p));
    TRY(say(p, "SELECT 1::bigint", "ping"));
    return read_number(p, &one);
}

/* Travels with the first statement. */
static enum err pg_begin(struct db *db, bool write)
{
    struct pg *p = of(db);
    TRY(usable(p));
    return say(p, write ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin");
}

static enum err pg_commit(struct db *db)
{
    struct pg *p = of(db);
    PGresult *r = NULL;
    TRY(settle(p, NULL));
    TRY(say(p, "COMMIT", "commit"));
    TRY(settle(p, &r));
    bool committed = str_eq(PQcmdStatus(r), "COMMIT"); /* of a failed transaction it is ROLLBACK */
    PQclear(r);
    return committed ? ERR_OK : err_set(ERR_IO, "the database %s has rolled back", p->name);
}

static void pg_rollback(struct db *db)
{
    struct pg *p = of(db);
    for (uint32_t i = 0; i < p->sent_count; i++)
        p->sent[i].ret_changed = NULL; /* nobody waits for it any more */
    enum err e = p->conn ? settle(p, NULL) : ERR_OK;
    if (!p->conn || PQtransactionStatus(p->conn) == PQTRANS_IDLE)
        return;
    e = say(p, "ROLLBACK", "rollback");
    if (e == ERR_OK)
        e = settle(p, NULL);
    if (e != ERR_OK)
        disconnect(p);
}

/* --- the schema --- */

static enum err do_now(struct pg *p, const char *sql, const char *what)
{
    TRY(ready(p));
    TRY(say(p, sql, what));
    return settle(p, NULL);
}

/* Within a transaction that writes, other servers wait here until it ends: one of them changes the schema. */
static enum err pg_version(struct db *db, uint32_t *ret_version)
{
    struct pg *p = of(db);
    int64_t there, version = 0;
    if (db->in_transaction && !p->reader)
        TRY(do_now(p, "SELECT pg_advisory_xact_lock(7236825117342)", "schema"));
    TRY(ready(p));
    /* Not to_regclass(): within a transaction it may still say what was true before the wait. */
    TRY(say(p,
            "SELECT count(*) FROM pg_tables WHERE tablename='schema_version' AND "
            "schemaname=ANY(current_schemas(false))",
            "schema"));
    TRY(read_number(p, &there));
    if (there) {
        TRY(say(p, "SELECT coalesce(max(version),0) FROM schema_version", "schema"));
        TRY(read_number(p, &version));
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

/* --- opening --- */

static void pg_close(struct db *db)
{
    struct pg *p = of(db);
    disconnect(p);
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
    enum err e = name_it(p);
    if (e == ERR_OK)
        e = connect_now(p);
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
