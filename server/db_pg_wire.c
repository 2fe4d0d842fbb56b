#include "server/db_pg_wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "server/try.h"

enum { BINARY = 1 };

/* The numbers of types are part of the protocol. */
static uint32_t type_of(enum db_kind kind, bool array)
{
    static const uint32_t types[][2] = {[DB_NULL] = {0, 0},
                                        [DB_INT] = {20, 1016},
                                        [DB_REAL] = {701, 1022},
                                        [DB_TEXT] = {25, 1009},
                                        [DB_BLOB] = {17, 1001}};
    return types[kind][array];
}

void pg_params_clear(struct pg_params *p)
{
    p->count = 0;
    p->len = 0;
}

void pg_params_done(struct pg_params *p)
{
    free(p->bytes);
    *p = (struct pg_params){0};
}

static void put_u32(char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(v >> (24 - 8 * i));
}

static void put_u64(char *at, uint64_t v)
{
    put_u32(at, (uint32_t)(v >> 32));
    put_u32(at + 4, (uint32_t)v);
}

static uint64_t get_u64(const char *at)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | (unsigned char)at[i];
    return v;
}

static enum err reserve(struct pg_params *p, size_t more)
{
    if (more > PG_PARAMS_BYTES_MAX || p->len + more > PG_PARAMS_BYTES_MAX)
        return err_set(ERR_LIMIT, "one write to the database is over %u MiB", PG_PARAMS_BYTES_MAX >> 20);
    if (p->len + more <= p->room)
        return ERR_OK;
    size_t room = p->room ? p->room : 4096;
    while (room < p->len + more)
        room *= 2;
    char *bytes = realloc(p->bytes, room);
    if (!bytes)
        return err_set(ERR_NOMEM, "no memory for a write to the database");
    p->bytes = bytes;
    p->room = room;
    return ERR_OK;
}

static uint32_t bytes_of(const struct db_value *v)
{
    return v->kind == DB_TEXT || v->kind == DB_BLOB ? v->len : 8;
}

static void add_text(char *at, const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len;) {
        size_t n = str_utf8_len(text + i, len - i);
        if (n == 0 || text[i] == 0) {
            at[i++] = '?';
            continue;
        }
        memcpy(at + i, text + i, n);
        i += (uint32_t)n;
    }
}

/* There is room. */
static void add_value(struct pg_params *p, enum db_kind kind, const struct db_value *v)
{
    char *at = p->bytes + p->len;
    uint64_t real;
    assert(v->kind == kind);
    switch (kind) {
    case DB_INT:
        put_u64(at, (uint64_t)v->as.i);
        break;
    case DB_REAL:
        memcpy(&real, &v->as.r, sizeof real);
        put_u64(at, real);
        break;
    case DB_TEXT:
        if (v->len > 0 && (!str_is_utf8(v->as.p, v->len) || memchr(v->as.p, 0, v->len)))
            add_text(at, v->as.p, v->len);
        else if (v->len > 0)
            memcpy(at, v->as.p, v->len);
        break;
    case DB_BLOB:
        if (v->len > 0)
            memcpy(at, v->as.p, v->len);
        break;
    case DB_NULL:
        break;
    }
    p->len += bytes_of(v);
}

static int begin_param(struct pg_params *p, uint32_t type)
{
    assert(p->count < PG_PARAMS_MAX);
    int i = p->count++;
    p->types[i] = type;
    p->formats[i] = BINARY;
    p->at[i] = p->len;
    p->values[i] = ""; /* not null */
    return i;
}

enum err pg_params_add(struct pg_params *p, enum db_kind kind, const struct db_value *v)
{
    TRY(reserve(p, bytes_of(v)));
    int i = begin_param(p, type_of(kind, false));
    if (v->kind == DB_NULL)
        p->values[i] = NULL;
    else
        add_value(p, kind, v);
    p->lengths[i] = (int)(p->len - p->at[i]);
    return ERR_OK;
}

enum err pg_params_add_array(struct pg_params *p, enum db_kind kind, const struct db_value *first,
                             uint32_t stride, uint32_t count)
{
    enum { HEAD_BYTES = 20 };
    size_t bytes = HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++)
        bytes += 4 + bytes_of(&first[(size_t)i * stride]);
    TRY(reserve(p, bytes));
    int param = begin_param(p, type_of(kind, true));
    char *head = p->bytes + p->len;
    put_u32(head, 1);     /* dimensions */
    put_u32(head + 4, 1); /* may hold nulls */
    put_u32(head + 8, type_of(kind, false));
    put_u32(head + 12, count);
    put_u32(head + 16, 1); /* the first index */
    p->len += HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        const struct db_value *v = &first[(size_t)i * stride];
        put_u32(p->bytes + p->len, v->kind == DB_NULL ? UINT32_MAX : bytes_of(v));
        p->len += 4;
        if (v->kind != DB_NULL)
            add_value(p, kind, v);
    }
    p->lengths[param] = (int)(p->len - p->at[param]);
    return ERR_OK;
}

void pg_params_end(struct pg_params *p)
{
    for (int i = 0; i < p->count; i++)
        if (p->values[i])
            p->values[i] = p->bytes + p->at[i];
}

enum err pg_value_read(enum db_kind kind, const char *bytes, uint32_t len, struct db_value *ret)
{
    uint64_t number;
    *ret = db_null();
    if (!bytes || kind == DB_NULL)
        return ERR_OK;
    if (kind == DB_TEXT)
        *ret = db_text_len(bytes, len);
    else if (kind == DB_BLOB)
        *ret = db_blob(bytes, len);
    else if (len != 8)
        return err_set(ERR_CORRUPT, "the database sent a number of %u bytes", len);
    else if (kind == DB_INT)
        *ret = db_int((int64_t)get_u64(bytes));
    else {
        number = get_u64(bytes);
        *ret = db_real(0);
        memcpy(&ret->as.r, &number, sizeof number);
    }
    return ERR_OK;
}
