/* json.h - reading and writing JSON. The only user of jansson.
 *
 * Reading: a document is an object or a list. json_parse() refuses what is over the limits (bytes_max,
 * JSON_DEPTH_MAX, JSON_VALUES_MAX), duplicate keys, NUL in strings and invalid UTF-8. A getter that fails
 * returns an error whose sentence gives the path of the field: "reports[3].cpu_ms must be an integer from 0
 * to 10". Values live as long as the document. Writing is a stream into a buf; it never builds a tree. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct json;     /* a value inside a document (opaque; a jansson value) */
struct json_doc; /* owns a parsed document */

enum err json_parse(const char *bytes, size_t len, size_t bytes_max, struct json_doc **ret_doc) NODISCARD;
void json_free(struct json_doc *doc); /* NULL is fine */
static inline void json_free_auto(struct json_doc **doc)
{
    json_free(*doc);
}
#define JSON_AUTO __attribute__((cleanup(json_free_auto)))
const struct json *json_root(const struct json_doc *doc);

enum json_kind {
    JSON_IS_NULL,
    JSON_IS_BOOL,
    JSON_IS_INT,
    JSON_IS_REAL,
    JSON_IS_TEXT,
    JSON_IS_ARRAY,
    JSON_IS_OBJECT
};
enum json_kind json_kind(const struct json *v);

/* Fields of an object. `where` is the path for the sentence ("reports[3]", "" at the top).
 * json_get_* : missing or of the wrong type is ERR_INVALID. json_opt_*: missing or null gives fallback. */
enum err json_get_string(const struct json *obj, const char *where, const char *key, size_t bytes_max,
                         const char **ret) NODISCARD;
enum err json_opt_string(const struct json *obj, const char *where, const char *key, size_t bytes_max,
                         const char *fallback, const char **ret) NODISCARD;
enum err json_get_i64(const struct json *obj, const char *where, const char *key, int64_t min, int64_t max,
                      int64_t *ret) NODISCARD;
enum err json_opt_i64(const struct json *obj, const char *where, const char *key, int64_t min, int64_t max,
                      int64_t fallback, int64_t *ret) NODISCARD;
enum err json_get_real(const struct json *obj, const char *where, const char *key, double min, double max,
                       double *ret) NODISCARD; /* takes integers too */
enum err json_opt_real(const struct json *obj, const char *where, const char *key, double min, double max,
                       double fallback, double *ret) NODISCARD;
enum err json_get_bool(const struct json *obj, const char *where, const char *key, bool *ret) NODISCARD;
enum err json_opt_bool(const struct json *obj, const char *where, const char *key, bool fallback,
                       bool *ret) NODISCARD;
/* *ret is NULL where an optional one is missing. */
enum err json_get_array(const struct json *obj, const char *where, const char *key, size_t count_max,
                        const struct json **ret) NODISCARD;
enum err json_opt_array(const struct json *obj, const char *where, const char *key, size_t count_max,
                        const struct json **ret) NODISCARD;
enum err json_get_object(const struct json *obj, const char *where, const char *key,
                         const struct json **ret) NODISCARD;
enum err json_opt_object(const struct json *obj, const char *where, const char *key,
                         const struct json **ret) NODISCARD;
/* Strict places: any key of obj that is not in the list is ERR_INVALID "unknown field 'x'; known fields are
 * ...". */
enum err json_only(const struct json *obj, const char *where, const char *const *keys,
                   size_t key_count) NODISCARD;

size_t json_count(const struct json *array_or_object);
const struct json *json_at(const struct json *array, size_t index);     /* NULL past the end */
const struct json *json_field(const struct json *obj, const char *key); /* NULL if missing */
/* Visits the fields of an object in the order they were written; false at the end.
 * for (size_t i = 0; json_each(obj, i, &key, &value); i++): key is read too, it says where the last call was.
 */
bool json_each(const struct json *obj, size_t i, const char **key, const struct json **ret_value);
/* Values on their own; the wrong kind gives NULL, 0, false or the fallback. */
const char *json_text(const struct json *v);
size_t json_text_len(const struct json *v);
int64_t json_int(const struct json *v, int64_t fallback);
double json_number(const struct json *v, double fallback);
bool json_is_set(const struct json *v);
/* Adds a value as compact JSON, keys in their order. */
enum err json_dump(const struct json *v, struct buf *out) NODISCARD;

/* Writing. Errors are remembered and told once by json_out_end(); commas and nesting are kept by the writer.
 * key is NULL inside arrays and at the top, and only there. Not deeper than JSON_DEPTH_MAX. */
struct json_out {
    struct buf *buf;
    enum err err;
    uint64_t comma, objects; /* one bit per depth: a comma is due; it is an object */
    uint32_t depth;
    bool pretty; /* two-space indentation */
};
void json_out_init(struct json_out *o, struct buf *buf);
void json_out_object(struct json_out *o, const char *key);
void json_out_array(struct json_out *o, const char *key);
void json_out_close(struct json_out *o); /* ends the innermost object or array */
void json_out_string(struct json_out *o, const char *key, const char *text); /* NULL writes null */
void json_out_string_len(struct json_out *o, const char *key, const char *bytes,
                         size_t len); /* bad UTF-8: U+FFFD */
void json_out_i64(struct json_out *o, const char *key, int64_t v);
void json_out_u64(struct json_out *o, const char *key, uint64_t v);
void json_out_real(struct json_out *o, const char *key,
                   double v); /* reads back as the same real; NaN, inf: null */
void json_out_bool(struct json_out *o, const char *key, bool v);
void json_out_null(struct json_out *o, const char *key);
void json_out_value(struct json_out *o, const char *key, const struct json *v);
void json_out_raw(struct json_out *o, const char *key, const char *json,
                  size_t len);                       /* known to be valid JSON */
enum err json_out_end(struct json_out *o) NODISCARD; /* also fails if something is still open */

#endif
