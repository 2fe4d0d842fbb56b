/* db_pg_link.h - a connection to PostgreSQL: made when it is needed, its statements prepared once and sent
 * one after the other, their outcomes read together. Only db_pg.c includes it.
 *
 * What is lost in between is ERR_UNREACHABLE, and ends the transaction. Sentences never hold the URL or
 * values. */
#ifndef SERVER_DB_PG_LINK_H
#define SERVER_DB_PG_LINK_H

#include <libpq-fe.h>

#include "server/db_driver.h"
#include "server/db_pg_wire.h"

enum { PG_STATEMENTS_MAX = 256, PG_SENT_MAX = 64, PG_NAME_BYTES = 128 };
enum { PG_AGAIN_MS = 50, PG_AGAIN_MS_MAX = 2000 }; /* between attempts to connect, doubled each time */

enum pg_statement { PG_WRITE, PG_FETCH, PG_SCAN, PG_ADD };

struct pg_prepared {
    const void *of; /* descriptor */
    bool known;     /* to the server */
};

struct pg_sent {
    const char *what;             /* table, or what is done: for the sentence of an error */
    struct pg_prepared *prepares; /* NULL: it is executed */
    uint32_t *ret_changed;        /* may be NULL */
};

struct pg {
    struct db db;
    PGconn *conn;             /* NULL: not connected */
    char *url;                /* may hold a password */
    char name[PG_NAME_BYTES]; /* for people */
    bool reader;
    int64_t wait_ms, again_ms; /* no connection is tried before */
    struct pg_prepared prepared[PG_STATEMENTS_MAX];
    struct pg_sent sent[PG_SENT_MAX]; /* what no answer was read of */
    uint32_t sent_count;
    struct pg_params params;
};

/* Connects to p->url. */
enum err link_open(struct pg *p) NODISCARD;
void link_close(struct pg *p);
/* Connects again if the connection was lost meanwhile; only outside a transaction. */
enum err link_usable(struct pg *p) NODISCARD;
/* Empties p->params for the next statement; outside a transaction it does what link_usable() does. */
enum err link_ready(struct pg *p) NODISCARD;

/* A statement of its own, without parameters; what: for sentences, kept until it is settled. */
enum err link_say(struct pg *p, const char *sql, const char *what) NODISCARD;
/* A statement with p->params. The descriptor is kept: it must live as long as the connection. ret_changed may
 * be NULL; it is set when the outcome is read. */
enum err link_send(struct pg *p, enum pg_statement kind, const void *descriptor, const char *what,
                   uint32_t *ret_changed) NODISCARD;
/* Reads the outcomes of all that was sent; the first error is returned, and the rows of the last statement
 * (may be NULL), to be PQclear()ed. */
enum err link_settle(struct pg *p, PGresult **ret_rows) NODISCARD;
/* The same, and gives the rows of the last statement. All are here before the first is given, so that its
 * reader may ask for something else. */
enum err link_rows(struct pg *p, const struct db_table *t, const uint8_t *columns, uint32_t count,
                   struct db_rows to) NODISCARD;
/* The same where one number is to come; ERR_MISSING without one. */
enum err link_number(struct pg *p, int64_t *ret) NODISCARD;

#endif
