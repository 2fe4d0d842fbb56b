/* db_pg_link.c - see db_pg_link.h */
#include "server/db_pg_link.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/db_sql.h"
#include "server/try.h"

enum { BINARY = 1 };

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

void link_close(struct pg *p)
{
    PQfinish(p->conn);
    p->conn = NULL;
    p->sent_count = 0;
    for (uint32_t i = 0; i < PG_STATEMENTS_MAX; i++)
        p->prepared[i].known = false;
}

static enum err lost(struct pg *p)
{
    char why[256] = "";
    if (p->conn)
        snprintf(why, sizeof why, "%s", PQerrorMessage(p->conn));
    one_line(why);
    link_close(p);
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
static const char settings_writer[] = "SET statement_timeout='60s';"
                                      "SELECT CASE WHEN current_setting('synchronous_commit')='off' THEN "
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
    bool cut = !fine && !PQresultErrorField(r, PG_DIAG_SQLSTATE); /* libpq says so, not the server */
    enum err e = fine || cut ? ERR_OK : fail(p, r, "setting up");
    PQclear(r);
    if (cut)
        return lost(p);
    if (e == ERR_OK && !PQenterPipelineMode(p->conn))
        return lost(p);
    return e;
}

enum err link_open(struct pg *p)
{
    /* What the URL says wins over what stands before it. */
    const char *keywords[] = {
        "connect_timeout",           "keepalives_idle", "tcp_user_timeout", "target_session_attrs",
        "fallback_application_name", "dbname",          "client_encoding",  NULL};
    const char *values[] = {"5",      "20",   "30000", p->reader ? "any" : "read-write",
                            "dugnad", p->url, "UTF8",  NULL};
    char why[512];
    if (!*p->name)
        TRY(name_it(p));
    p->conn = PQconnectdbParams(keywords, values, 1);
    if (!p->conn)
        return err_set(ERR_NOMEM, "no memory to connect to the database");
    if (PQstatus(p->conn) != CONNECTION_OK) {
        snprintf(why, sizeof why, "%s", PQerrorMessage(p->conn));
        one_line(why);
        link_close(p);
        return err_set(ERR_UNREACHABLE, "the database %s cannot be reached: %s", p->name, why);
    }
    PQsetNoticeProcessor(p->conn, say_nothing, NULL);
    enum err e = set_up(p);
    if (e != ERR_OK)
        link_close(p);
    return e;
}

/* Nobody hammers at a database that is away: who asks meanwhile is told so at once. */
static enum err open_again(struct pg *p)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms < p->again_ms)
        return err_set(ERR_UNREACHABLE, "the database %s cannot be reached: it is tried again within %d s",
                       p->name, PG_AGAIN_MS_MAX / 1000);
    enum err e = link_open(p);
    if (e != ERR_UNREACHABLE) {
        p->wait_ms = 0;
        return e;
    }
    p->wait_ms = p->wait_ms == 0 ? PG_AGAIN_MS : p->wait_ms * 2;
    p->wait_ms = p->wait_ms > PG_AGAIN_MS_MAX ? PG_AGAIN_MS_MAX : p->wait_ms;
    p->again_ms = clock_mono_ms() + p->wait_ms / 2 + (int64_t)(rand_u64() % (uint64_t)(p->wait_ms / 2 + 1));
    return e;
}

/* Notices without a round trip that the server was restarted meanwhile. */
enum err link_usable(struct pg *p)
{
    enum { MESSAGES_MAX = 8 };
    for (int i = 0; p->conn && i < MESSAGES_MAX; i++) {
        struct pollfd fd = {.fd = PQsocket(p->conn), .events = POLLIN};
        if (PQstatus(p->conn) == CONNECTION_OK && poll(&fd, 1, 0) == 0)
            return ERR_OK;
        if (!PQconsumeInput(p->conn) || PQstatus(p->conn) != CONNECTION_OK)
            link_close(p);
    }
    return p->conn ? ERR_OK : open_again(p);
}

/* --- sending and reading --- */

static enum err outcome(const struct pg *p, const struct pg_sent *s, PGresult *r)
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

enum err link_settle(struct pg *p, PGresult **ret_rows)
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
        return e == ERR_UNREACHABLE ? (link_close(p), e) : lost(p);
    }
    if (e == ERR_OK && ret_rows)
        *ret_rows = rows;
    else
        PQclear(rows);
    return e;
}

static struct pg_sent *expect(struct pg *p, const char *what)
{
    assert(p->sent_count < PG_SENT_MAX);
    struct pg_sent *s = &p->sent[p->sent_count++];
    *s = (struct pg_sent){.what = what};
    return s;
}

enum err link_say(struct pg *p, const char *sql, const char *what)
{
    if (p->sent_count == PG_SENT_MAX)
        TRY(link_settle(p, NULL));
    if (!p->conn || !PQsendQueryParams(p->conn, sql, 0, NULL, NULL, NULL, NULL, BINARY))
        return lost(p);
    expect(p, what);
    return ERR_OK;
}

static enum err sql_for(enum pg_statement kind, const void *descriptor, struct buf *out)
{
    switch (kind) {
    case PG_WRITE:
        return db_sql_write(DB_PG, descriptor, out);
    case PG_FETCH:
        return db_sql_fetch(DB_PG, descriptor, out);
    case PG_SCAN:
        return db_sql_scan(DB_PG, descriptor, out);
    case PG_ADD:
        return db_sql_add(DB_PG, descriptor, out);
    }
    return ERR_INVALID;
}

static enum err prepare(struct pg *p, enum pg_statement kind, struct pg_prepared *is, const char *name)
{
    struct buf BUF_AUTO sql = {0};
    TRY(sql_for(kind, is->of, &sql));
    if (!PQsendPrepare(p->conn, name, buf_text(&sql), p->params.count, p->params.types))
        return lost(p);
    expect(p, "preparing")->prepares = is;
    is->known = true; /* as far as what is sent after it is concerned */
    return ERR_OK;
}

enum err link_send(struct pg *p, enum pg_statement kind, const void *descriptor, const char *what,
                   uint32_t *ret_changed)
{
    char name[16];
    uint32_t at = (uint32_t)(((uintptr_t)descriptor >> 3) * 0x9e3779b1u) % PG_STATEMENTS_MAX, tries = 0;
    while (p->prepared[at].of && p->prepared[at].of != descriptor && ++tries < PG_STATEMENTS_MAX)
        at = (at + 1) % PG_STATEMENTS_MAX;
    struct pg_prepared *is = &p->prepared[at];
    if (is->of && is->of != descriptor)
        return err_set(ERR_LIMIT, "more than %d statements are prepared", PG_STATEMENTS_MAX);
    is->of = descriptor;
    snprintf(name, sizeof name, "s%u", at);
    if (p->sent_count + 2 > PG_SENT_MAX)
        TRY(link_settle(p, NULL));
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

enum err link_ready(struct pg *p)
{
    pg_params_clear(&p->params);
    return p->db.in_transaction ? ERR_OK : link_usable(p);
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

enum err link_rows(struct pg *p, const struct db_table *t, const uint8_t *columns, uint32_t count,
                   struct db_rows to)
{
    PGresult *r = NULL;
    TRY(link_settle(p, &r));
    enum err e = give(r, t, columns, count, to);
    PQclear(r);
    return e;
}

enum err link_number(struct pg *p, int64_t *ret)
{
    PGresult *r = NULL;
    struct db_value v = db_null();
    TRY(link_settle(p, &r));
    bool there = PQntuples(r) == 1 && !PQgetisnull(r, 0, 0);
    enum err e = there ? pg_value_read(DB_INT, PQgetvalue(r, 0, 0), (uint32_t)PQgetlength(r, 0, 0), &v)
                       : err_set(ERR_MISSING, "the database %s has no such row", p->name);
    PQclear(r);
    if (e == ERR_OK)
        *ret = v.as.i;
    return e;
}
