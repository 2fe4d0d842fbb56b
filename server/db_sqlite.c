/* db_sqlite.c - the embedded database: one file, WAL, synchronous=FULL. The only user of SQLite. */
#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "server/db_driver.h"
#include "server/db_sql.h"
#include "server/try.h"

enum {
    STATEMENTS_MAX = 256, /* power of two; far above the number of descriptors */
    BUSY_MS = 5000,
    CACHE_KIB =
        8192, /* of a connection; every commit that split a page looks at all of it (SQLite 3.39 and later) */
    WAL_PAGES = 4000,
    BACKUP_PAGES = 2000,
    WAL_BYTES_KEPT = 64 << 20
};

enum simple { BEGIN_READ, BEGIN_WRITE, COMMIT, ROLLBACK, PING, VERSION, SIMPLES };

struct prepared {
    const void *of; /* descriptor */
    sqlite3_stmt *statement;
};

struct sqlite {
    struct db db;
    sqlite3 *handle;
    char *path;
    sqlite3_stmt *simple[SIMPLES];
    struct prepared prepared[STATEMENTS_MAX];
};

static const char *const simple_sql[SIMPLES] = {
    [BEGIN_READ] = "BEGIN", [BEGIN_WRITE] = "BEGIN IMMEDIATE", [COMMIT] = "COMMIT", [ROLLBACK] = "ROLLBACK",
    [PING] = "SELECT 1",    [VERSION] = "PRAGMA user_version",
};

static struct sqlite *of(struct db *db)
{
    return (struct sqlite *)db;
}

static enum err fail(const struct sqlite *s, int rc, const char *what)
{
    enum err e = ERR_IO;
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT: /* any other constraint is a mistake of ours, which trying again does not help */
        if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
            rc == SQLITE_CONSTRAINT_ROWID)
            e = ERR_CONFLICT;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        e = ERR_BUSY;
        break;
    case SQLITE_FULL:
        e = ERR_FULL;
        break;
    case SQLITE_NOMEM:
        e = ERR_NOMEM;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        e = ERR_CORRUPT;
        break;
    default:
        break;
    }
    return err_set(e, "the database %s: %s: %s", s->path, what,
                   s->handle ? sqlite3_errmsg(s->handle) : sqlite3_errstr(rc));
}

static enum err run(struct sqlite *s, const char *sql)
{
    int rc = sqlite3_exec(s->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : fail(s, rc, sql);
}

static enum err prepare(struct sqlite *s, const char *sql, sqlite3_stmt **ret)
{
    int rc = sqlite3_prepare_v3(s->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    return rc == SQLITE_OK ? ERR_OK : fail(s, rc, sql);
}

static enum err run_simple(struct sqlite *s, enum simple which)
{
    if (!s->simple[which])
        TRY(prepare(s, simple_sql[which], &s->simple[which]));
    int rc = sqlite3_step(s->simple[which]);
    if (rc == SQLITE_DONE || rc == SQLITE_ROW)
        rc = sqlite3_reset(s->simple[which]);
    else
        sqlite3_reset(s->simple[which]);
    return rc == SQLITE_OK ? ERR_OK : fail(s, rc, simple_sql[which]);
}

enum statement_kind { WRITE, FETCH, SCAN, ADD };

static enum err sql_for(enum statement_kind kind, const void *descriptor, struct buf *out)
{
    switch (kind) {
    case WRITE:
        return db_sql_write(DB_SQLITE, descriptor, out);
    case FETCH:
        return db_sql_fetch(DB_SQLITE, descriptor, out);
    case SCAN:
        return db_sql_scan(DB_SQLITE, descriptor, out);
    case ADD:
        return db_sql_add(DB_SQLITE, descriptor, out);
    }
    return ERR_INVALID;
}

static enum err statement(struct sqlite *s, enum statement_kind kind, const void *descriptor,
                          sqlite3_stmt **ret)
{
    uint32_t at = (uint32_t)(((uintptr_t)descriptor >> 3) * 0x9e3779b1u) % STATEMENTS_MAX;
    for (uint32_t i = 0; i < STATEMENTS_MAX; i++, at = (at + 1) % STATEMENTS_MAX) {
        struct prepared *p = &s->prepared[at];
        if (p->of == descriptor) {
            *ret = p->statement;
            return ERR_OK;
        }
        if (p->of)
            continue;
        struct buf BUF_AUTO sql = {0};
        TRY(sql_for(kind, descriptor, &sql));
        TRY(prepare(s, buf_text(&sql), &p->statement));
        p->of = descriptor;
        *ret = p->statement;
        return ERR_OK;
    }
    return err_set(ERR_LIMIT, "more than %d statements are prepared", STATEMENTS_MAX);
}

static int bind(sqlite3_stmt *st, int at, const struct db_value *v)
{
    switch (v->kind) {
    case DB_INT:
        return sqlite3_bind_int64(st, at, v->as.i);
    case DB_REAL:
        return sqlite3_bind_double(st, at, v->as.r);
    case DB_TEXT:
        return sqlite3_bind_text(st, at, v->as.p ? v->as.p : "", (int)v->len, SQLITE_STATIC);
    case DB_BLOB:
        return sqlite3_bind_blob(st, at, v->as.p ? v->as.p : "", (int)v->len, SQLITE_STATIC);
    case DB_NULL:
        break;
    }
    return sqlite3_bind_null(st, at);
}

static enum err bind_all(struct sqlite *s, sqlite3_stmt *st, const struct db_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int rc = bind(st, (int)i + 1, &values[i]);
        if (rc != SQLITE_OK)
            return fail(s, rc, "bind");
    }
    return ERR_OK;
}

static void column(sqlite3_stmt *st, int at, struct db_value *v)
{
    switch (sqlite3_column_type(st, at)) {
    case SQLITE_INTEGER:
        *v = db_int(sqlite3_column_int64(st, at));
        break;
    case SQLITE_FLOAT:
        *v = db_real(sqlite3_column_double(st, at));
        break;
    case SQLITE_TEXT: {
        const void *text = sqlite3_column_text(st, at);
        *v = db_text_len(text, (uint32_t)sqlite3_column_bytes(st, at));
        break;
    }
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_column_blob(st, at);
        *v = db_blob(bytes, (uint32_t)sqlite3_column_bytes(st, at));
        break;
    }
    default:
        *v = db_null();
    }
}

static enum err read_rows(struct sqlite *s, sqlite3_stmt *st, uint32_t columns, struct db_rows to)
{
    struct db_value values[DB_COLUMNS_MAX];
    enum err e = ERR_OK;
    int rc;
    while (e == ERR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        for (uint32_t i = 0; i < columns; i++)
            column(st, (int)i, &values[i]);
        e = to.row(to.ctx, values);
    }
    if (e == ERR_OK && rc != SQLITE_DONE)
        e = fail(s, rc, "reading");
    sqlite3_reset(st);
    return e;
}

static enum err sqlite_fetch(struct db *db, const struct db_fetch *f, const struct db_value *keys,
                             uint32_t key_count, struct db_rows to)
{
    struct sqlite *s = of(db);
    uint32_t width = db_fetch_width(f);
    sqlite3_stmt *st;
    TRY(statement(s, FETCH, f, &st));
    for (uint32_t i = 0; i < key_count; i++) {
        TRY(bind_all(s, st, keys + (size_t)i * width, width));
        TRY(read_rows(s, st, f->count, to));
    }
    return ERR_OK;
}

static enum err sqlite_scan(struct db *db, const struct db_scan *d, const struct db_value *args,
                            uint32_t limit, struct db_rows to)
{
    struct sqlite *s = of(db);
    uint32_t width = d->equal + d->after + d->until;
    sqlite3_stmt *st;
    TRY(statement(s, SCAN, d, &st));
    TRY(bind_all(s, st, args, width));
    sqlite3_bind_int64(st, (int)width + 1, limit);
    return read_rows(s, st, d->count, to);
}

static enum err sqlite_write(struct db *db, const struct db_write *w, const struct db_value *rows,
                             uint32_t count, uint32_t *ret_changed)
{
    struct sqlite *s = of(db);
    sqlite3_stmt *st;
    TRY(statement(s, WRITE, w, &st));
    for (uint32_t i = 0; i < count; i++) {
        TRY(bind_all(s, st, rows + (size_t)i * w->count, w->count));
        int rc = sqlite3_step(st);
        enum err e = rc == SQLITE_DONE ? ERR_OK : fail(s, rc, w->table->name);
        sqlite3_reset(st);
        if (e != ERR_OK)
            return e;
        *ret_changed += (uint32_t)sqlite3_changes(s->handle);
    }
    return ERR_OK;
}

static enum err sqlite_add(struct db *db, const struct db_write *w, const struct db_value *row,
                           int64_t *ret_sum)
{
    struct sqlite *s = of(db);
    sqlite3_stmt *st;
    TRY(statement(s, ADD, w, &st));
    TRY(bind_all(s, st, row, w->count));
    int rc = sqlite3_step(st);
    enum err e = rc == SQLITE_ROW ? ERR_OK : fail(s, rc, w->table->name);
    if (e == ERR_OK)
        *ret_sum = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return e;
}

static enum err sqlite_ping(struct db *db)
{
    return run_simple(of(db), PING);
}

static enum err sqlite_begin(struct db *db, bool write)
{
    return run_simple(of(db), write ? BEGIN_WRITE : BEGIN_READ);
}

static enum err sqlite_commit(struct db *db)
{
    return run_simple(of(db), COMMIT);
}

static void sqlite_rollback(struct db *db)
{
    struct sqlite *s = of(db);
    if (sqlite3_get_autocommit(s->handle))
        return; /* the engine of the database has rolled back already */
    enum err ignored = run_simple(s, ROLLBACK);
    (void)ignored;
}

static enum err sqlite_version(struct db *db, uint32_t *ret_version)
{
    struct sqlite *s = of(db);
    if (!s->simple[VERSION])
        TRY(prepare(s, simple_sql[VERSION], &s->simple[VERSION]));
    int rc = sqlite3_step(s->simple[VERSION]);
    if (rc == SQLITE_ROW)
        *ret_version = (uint32_t)sqlite3_column_int(s->simple[VERSION], 0);
    sqlite3_reset(s->simple[VERSION]);
    return rc == SQLITE_ROW ? ERR_OK : fail(s, rc, simple_sql[VERSION]);
}

static enum err sqlite_set_version(struct db *db, uint32_t version)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version=%u", version);
    return run(of(db), sql);
}

static enum err sqlite_change_schema(struct db *db, enum db_change change, const struct db_table *t,
                                     uint32_t at)
{
    struct buf BUF_AUTO sql = {0};
    TRY(db_sql_change(DB_SQLITE, change, t, at, &sql));
    return run(of(db), buf_text(&sql));
}

/* --- care --- */

static enum err sqlite_about(struct db *db, char *ret, size_t room)
{
    (void)db;
    snprintf(ret, room, "SQLite %s", sqlite3_libversion());
    return ERR_OK;
}

static enum err sqlite_check(struct db *db, struct buf *out)
{
    struct sqlite *s = of(db);
    sqlite3_stmt *st;
    enum err e = ERR_OK;
    int rc;
    TRY(prepare(s, "PRAGMA quick_check(20)", &st));
    while (e == ERR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(st, 0);
        if (!str_eq(line, "ok"))
            e = buf_printf(out, "%s\n", line ? line : "no memory to say what is wrong");
    }
    if (e == ERR_OK && rc != SQLITE_DONE)
        e = fail(s, rc, "checking");
    sqlite3_finalize(st);
    return e;
}

/* In slices, so that the disk is not taken from those who serve; one transaction around them, so that what
 * others write meanwhile does not make it begin again. */
static enum err copy_pages(struct sqlite *s, sqlite3 *to, const char *path)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", s->handle, "main");
    int rc = b ? SQLITE_OK : sqlite3_errcode(to);
    while (rc == SQLITE_OK) {
        rc = sqlite3_backup_step(b, BACKUP_PAGES);
        if (rc == SQLITE_OK)
            clock_sleep_ms(1);
    }
    enum err e = rc == SQLITE_DONE ? ERR_OK : fail(s, rc, sqlite3_errstr(rc));
    int finished = sqlite3_backup_finish(b);
    if (e == ERR_OK && finished != SQLITE_OK)
        e = fail(s, finished, sqlite3_errstr(finished));
    return e == ERR_OK ? e : err_prefix(e, "copying to %s", path);
}

static enum err sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        enum err e = err_set_errno(ERR_IO, "cannot make %s durable", path);
        if (fd >= 0)
            close(fd);
        return e;
    }
    close(fd);
    return ERR_OK;
}

/* Addresses of people are in it, so that it is its owner's alone; SQLite gives its log the same rights. */
static enum err make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(ERR_IO, "the database %s cannot be opened", path);
    close(fd);
    return ERR_OK;
}

static enum err sqlite_backup(struct db *db, const char *path)
{
    struct sqlite *s = of(db);
    sqlite3 *to = NULL;
    if (access(path, F_OK) == 0)
        return err_set(ERR_CONFLICT, "%s is there already", path);
    TRY(make_file(path));
    int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    enum err e = rc == SQLITE_OK ? db_begin(db, false) : fail(s, rc, path);
    if (e == ERR_OK) {
        e = run(s, "SELECT count(*) FROM sqlite_schema"); /* the moment is that of the first read */
        if (e == ERR_OK)
            e = copy_pages(s, to, path);
        db_rollback(db);
    }
    sqlite3_close_v2(to);
    if (e == ERR_OK)
        e = sync_path(path);
    if (e != ERR_OK)
        unlink(path);
    return e;
}

/* --- opening --- */

static void sqlite_close(struct db *db)
{
    struct sqlite *s = of(db);
    for (uint32_t i = 0; i < STATEMENTS_MAX; i++)
        sqlite3_finalize(s->prepared[i].statement);
    for (uint32_t i = 0; i < SIMPLES; i++)
        sqlite3_finalize(s->simple[i]);
    sqlite3_close_v2(s->handle);
    free(s->path);
    free(s);
}

static enum err open_at(const char *path, bool reader, struct db **ret_db);

static enum err sqlite_open_reader(struct db *db, struct db **ret_db)
{
    return open_at(of(db)->path, true, ret_db);
}

static const struct db_driver driver = {
    .open_reader = sqlite_open_reader,
    .close = sqlite_close,
    .ping = sqlite_ping,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .write = sqlite_write,
    .fetch = sqlite_fetch,
    .scan = sqlite_scan,
    .add = sqlite_add,
    .version = sqlite_version,
    .set_version = sqlite_set_version,
    .change_schema = sqlite_change_schema,
    .about = sqlite_about,
    .check = sqlite_check,
    .backup = sqlite_backup,
};

/* Where there is no shared memory, as on some network file systems, the mode stays what it was. */
static enum err use_wal(struct sqlite *s)
{
    sqlite3_stmt *st;
    TRY(prepare(s, "PRAGMA journal_mode=WAL", &st));
    /* SQLite does not wait by itself when two connections want the change of mode at once. */
    int64_t give_up_ms = clock_mono_ms() + BUSY_MS;
    int rc;
    while (((rc = sqlite3_step(st)) & 0xff) == SQLITE_BUSY && clock_mono_ms() < give_up_ms) {
        sqlite3_reset(st);
        clock_sleep_ms(10);
    }
    bool is_wal = rc == SQLITE_ROW && str_eq((const char *)sqlite3_column_text(st, 0), "wal");
    enum err e = ERR_OK;
    if (rc != SQLITE_ROW)
        e = fail(s, rc, "write-ahead log");
    else if (!is_wal)
        e = err_set(ERR_UNSUPPORTED, "the database %s cannot have a write-ahead log: put it on a local disk",
                    s->path);
    sqlite3_finalize(st);
    return e;
}

static enum err set_up(struct sqlite *s, bool reader)
{
    char sql[256];
    sqlite3_busy_timeout(s->handle, BUSY_MS);
    sqlite3_extended_result_codes(s->handle, 1);
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%d;PRAGMA temp_store=MEMORY;PRAGMA secure_delete=OFF",
             CACHE_KIB);
    TRY(run(s, sql));
    if (reader)
        return run(s, "PRAGMA query_only=ON");
    TRY(run(s, "PRAGMA synchronous=FULL"));
    TRY(use_wal(s));
    snprintf(sql, sizeof sql, "PRAGMA wal_autocheckpoint=%d;PRAGMA journal_size_limit=%d", WAL_PAGES,
             WAL_BYTES_KEPT);
    return run(s, sql);
}

static enum err open_at(const char *path, bool reader, struct db **ret_db)
{
    if (!reader)
        TRY(make_file(path));
    struct sqlite *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return err_set(ERR_NOMEM, "no memory to open the database %s", path);
    }
    s->db.driver = &driver;
    /* No lock and no counting around each of its allocations; heard only before the first database is opened.
     */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int flags =
        SQLITE_OPEN_NOMUTEX | (reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int rc = sqlite3_open_v2(path, &s->handle, flags, NULL);
    enum err e = rc == SQLITE_OK ? set_up(s, reader) : fail(s, rc, "cannot be opened");
    if (e != ERR_OK) {
        sqlite_close(&s->db);
        return e;
    }
    *ret_db = &s->db;
    return ERR_OK;
}

enum err db_sqlite_open(const char *path, struct db **ret_db)
{
    return open_at(path, false, ret_db);
}

enum err db_sqlite_open_existing(const char *path, struct db **ret_db)
{
    if (access(path, F_OK) != 0)
        return err_set_errno(ERR_IO, "the database %s", path);
    return open_at(path, true, ret_db);
}
