#include "server/store_dump_line.h"

#include <string.h>

#include "base/str.h"

static void write_base64(struct json_out *o, const char *key, const struct db_value *v)
{
    BUF_AUTO struct buf text = {0};
    if (str_base64(v->as.p, v->len, &text) != ERR_OK)
        o->err = ERR_NOMEM;
    json_out_string_len(o, key, buf_text(&text), text.len);
}

static void write_text(struct json_out *o, const char *key, const struct db_value *v)
{
    if (str_is_utf8(v->as.p, v->len) && !memchr(v->as.p, 0, v->len)) {
        json_out_string_len(o, key, v->as.p, v->len);
        return;
    }
    json_out_object(o, key);
    write_base64(o, "base64", v);
    json_out_close(o);
}

/* By the column's kind, so that the line does not depend on how an engine gives the value. */
static void write_value(struct json_out *o, const struct db_column *c, const struct db_value *v)
{
    if (v->kind == DB_NULL)
        return;
    switch (c->kind) {
    case DB_INT:
        json_out_i64(o, c->name, v->as.i);
        break;
    case DB_REAL:
        json_out_real(o, c->name, v->kind == DB_REAL ? v->as.r : (double)v->as.i);
        break;
    case DB_TEXT:
        write_text(o, c->name, v);
        break;
    case DB_BLOB:
        write_base64(o, c->name, v);
        break;
    case DB_NULL:
        break;
    }
}

enum err dump_line_row(const struct db_table *t, const struct db_value *values, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "table", t->name);
    json_out_object(&o, "row");
    for (uint32_t i = 0; i < t->column_count; i++)
        write_value(&o, &t->columns[i], &values[i]);
    json_out_close(&o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return buf_add_char(out, '\n');
}

static enum err bad(const struct db_table *t, uint32_t column, const char *wanted)
{
    return err_set(ERR_CORRUPT, "%s.%s must be %s", t->name, t->columns[column].name, wanted);
}

static enum err read_base64(const struct db_table *t, uint32_t i, const struct json *v, struct arena *a,
                            struct db_value *ret)
{
    BUF_AUTO struct buf bytes = {0};
    if (json_kind(v) != JSON_IS_TEXT || str_unbase64(json_text(v), json_text_len(v), &bytes) != ERR_OK)
        return bad(t, i, "base64");
    char *copy = arena_bytes(a, buf_text(&bytes), bytes.len);
    *ret = t->columns[i].kind == DB_BLOB ? db_blob(copy, (uint32_t)bytes.len)
                                         : db_text_len(copy, (uint32_t)bytes.len);
    return copy ? ERR_OK : ERR_NOMEM;
}

static enum err read_value(const struct db_table *t, uint32_t i, const struct json *v, struct arena *a,
                           struct db_value *ret)
{
    enum json_kind kind = json_kind(v);
    switch (t->columns[i].kind) {
    case DB_INT:
        *ret = db_int(json_int(v, 0));
        return kind == JSON_IS_INT ? ERR_OK : bad(t, i, "an integer");
    case DB_REAL:
        *ret = db_real(json_number(v, 0));
        return kind == JSON_IS_INT || kind == JSON_IS_REAL ? ERR_OK : bad(t, i, "a number");
    case DB_TEXT:
        if (kind == JSON_IS_OBJECT && json_field(v, "base64"))
            return read_base64(t, i, json_field(v, "base64"), a, ret);
        *ret = kind == JSON_IS_TEXT ? db_text_len(json_text(v), (uint32_t)json_text_len(v)) : db_null();
        return kind == JSON_IS_TEXT ? ERR_OK : bad(t, i, "text");
    case DB_BLOB:
        return read_base64(t, i, v, a, ret);
    case DB_NULL:
        break;
    }
    return bad(t, i, "of a known kind");
}

enum err dump_line_read(const struct db_table *t, const struct json *row, struct arena *a,
                        struct db_value *ret_values)
{
    size_t known = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct json *v = json_field(row, t->columns[i].name);
        ret_values[i] = db_null();
        if (v)
            TRY(read_value(t, i, v, a, &ret_values[i]));
        known += v != NULL;
    }
    return known == json_count(row)
               ? ERR_OK
               : err_set(ERR_CORRUPT, "a row of %s has a column that this program does not know", t->name);
}
