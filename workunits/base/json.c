/* json.c - reading JSON, see json.h. Writing is in json_out.c. */
#include "base/json.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"

/* A document and all that jansson made for it: freed at once, without a walk through its values. */
struct json_doc {
    struct arena arena; /* this is in it, too */
    json_t *root;
};

enum { BLOCK_BYTES_MIN = 1024, BLOCK_BYTES_MAX = 16 << 10, BYTES_PER_BYTE = 12 /* of a small document */ };

/* Where the document goes that this thread reads just now. */
static _Thread_local struct arena *reading;
/* What jansson had before: libdugnad may be a guest in a program that uses jansson, too. */
static json_malloc_t others_malloc;
static json_free_t others_free;

static void *doc_malloc(size_t bytes)
{
    return reading ? arena_alloc(reading, bytes) : others_malloc(bytes);
}

static void doc_free(void *p)
{
    if (!reading)
        others_free(p);
}

static void set_up(void)
{
    json_get_alloc_funcs(&others_malloc, &others_free);
    json_set_alloc_funcs(doc_malloc, doc_free);
    json_object_seed(0);
}

/* struct json is jansson's json_t under a name that other files may know. */
static const json_t *in(const struct json *v)
{
    return (const json_t *)(const void *)v;
}

static const struct json *out_of(const json_t *v)
{
    return (const struct json *)(const void *)v;
}

/* Where the text ends whose first character is bytes[at], at > 0: at its quote, or at len. */
static size_t end_of_text(const char *bytes, size_t len, size_t at)
{
    size_t quote = 0; /* the first one from `at` on; looked for once for all that stands before it */
    while (at < len) {
        if (quote < at) {
            const char *found = memchr(bytes + at, '"', len - at);
            quote = found ? (size_t)(found - bytes) : len;
        }
        const char *escape = memchr(bytes + at, '\\', quote - at);
        if (!escape)
            return quote;
        at = (size_t)(escape - bytes) + 2;
    }
    return len;
}

/* What a document would take, seen before jansson takes it: its own limit on depth is 2048, and eight million
 * bytes of
 * "{},{},..." become 700 million bytes of memory. */
static void measure(const char *bytes, size_t len, size_t *ret_depth, size_t *ret_values)
{
    size_t depth = 0, deepest = 0, values = 1;
    for (size_t i = 0; i < len; i++) {
        switch (bytes[i]) {
        case '"':
            i = end_of_text(bytes, len, i + 1);
            break;
        case '[':
        case '{':
            depth++;
            values++;
            deepest = depth > deepest ? depth : deepest;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
            values++;
            break;
        }
    }
    *ret_depth = deepest;
    *ret_values = values;
}

static enum err within_limits(const char *bytes, size_t len, size_t bytes_max)
{
    size_t depth, values;
    if (len > bytes_max)
        return err_set(ERR_LIMIT, "JSON of %zu bytes is over the limit of %zu", len, bytes_max);
    if (len == 0)
        return err_set(ERR_INVALID, "JSON is wanted, but there is nothing");
    measure(bytes, len, &depth, &values);
    if (depth > JSON_DEPTH_MAX)
        return err_set(ERR_LIMIT, "JSON is nested deeper than %d", JSON_DEPTH_MAX);
    if (values > JSON_VALUES_MAX)
        return err_set(ERR_LIMIT, "JSON of more than %d values is over the limit", JSON_VALUES_MAX);
    return ERR_OK;
}

/* jansson's tree of the bytes in a; NULL with this thread's sentence. */
static json_t *load(const char *bytes, size_t len, struct arena *a)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    json_error_t why;
    pthread_once(&once, set_up);
    reading = a;
    json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
    reading = NULL;
    if (!root)
        (void)err_set(ERR_INVALID, "malformed JSON at line %d column %d: %s", why.line, why.column, why.text);
    return root;
}

enum err json_parse(const char *bytes, size_t len, size_t bytes_max, struct json_doc **ret_doc)
{
    enum err e = within_limits(bytes, len, bytes_max);
    if (e != ERR_OK)
        return e;
    size_t guess = len > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : len * BYTES_PER_BYTE + BLOCK_BYTES_MIN;
    struct arena a = {.bytes_max = SIZE_MAX, /* the limits above hold */
                      .block_bytes = guess < BLOCK_BYTES_MAX ? guess : BLOCK_BYTES_MAX};
    struct json_doc *doc = arena_alloc(&a, sizeof *doc);
    json_t *root = doc ? load(bytes, len, &a) : NULL;
    if (!root) {
        arena_done(&a);
        return doc ? ERR_INVALID : ERR_NOMEM;
    }
    doc->arena = a;
    doc->root = root;
    *ret_doc = doc;
    return ERR_OK;
}

void json_free(struct json_doc *doc)
{
    if (!doc)
        return;
    struct arena a = doc->arena;
    arena_done(&a);
}

const struct json *json_root(const struct json_doc *doc)
{
    return doc ? out_of(doc->root) : NULL;
}

enum json_kind json_kind(const struct json *v)
{
    static const enum json_kind kinds[] = {
        [JSON_OBJECT] = JSON_IS_OBJECT, [JSON_ARRAY] = JSON_IS_ARRAY, [JSON_STRING] = JSON_IS_TEXT,
        [JSON_INTEGER] = JSON_IS_INT,   [JSON_REAL] = JSON_IS_REAL,   [JSON_TRUE] = JSON_IS_BOOL,
        [JSON_FALSE] = JSON_IS_BOOL,    [JSON_NULL] = JSON_IS_NULL,
    };
    return v ? kinds[json_typeof(in(v))] : JSON_IS_NULL;
}

/* "where.key", or "key" at the top. */
static const char *path_of(const char *where, const char *key, char *room, size_t bytes)
{
    snprintf(room, bytes, "%s%s%s", where ? where : "", where && *where ? "." : "", key);
    return room;
}

#define FIELD(where, key) path_of(where, key, (char[160]){0}, 160)

static enum err missing(const struct json *obj, const char *where, const char *key)
{
    if (!obj || !json_is_object(in(obj)))
        return err_set(ERR_INVALID, "%s must be an object", where && *where ? where : "the document");
    return err_set(ERR_INVALID, "%s is missing", FIELD(where, key));
}

/* The field, or NULL where it is missing or null. */
static const json_t *find(const struct json *obj, const char *key)
{
    const json_t *v = obj && json_is_object(in(obj)) ? json_object_get(in(obj), key) : NULL;
    return v && !json_is_null(v) ? v : NULL;
}

enum err json_opt_string(const struct json *obj, const char *where, const char *key, size_t bytes_max,
                         const char *fallback, const char **ret)
{
    const json_t *v = find(obj, key);
    if (!v) {
        *ret = fallback;
        return ERR_OK;
    }
    if (!json_is_string(v))
        return err_set(ERR_INVALID, "%s must be a string", FIELD(where, key));
    if (json_string_length(v) > bytes_max)
        return err_set(ERR_LIMIT, "%s is longer than %zu bytes", FIELD(where, key), bytes_max);
    *ret = json_string_value(v);
    return ERR_OK;
}

enum err json_get_string(const struct json *obj, const char *where, const char *key, size_t bytes_max,
                         const char **ret)
{
    return find(obj, key) ? json_opt_string(obj, where, key, bytes_max, NULL, ret) : missing(obj, where, key);
}

enum err json_opt_i64(const struct json *obj, const char *where, const char *key, int64_t min, int64_t max,
                      int64_t fallback, int64_t *ret)
{
    const json_t *v = find(obj, key);
    if (!v) {
        *ret = fallback;
        return ERR_OK;
    }
    int64_t value = json_is_integer(v) ? (int64_t)json_integer_value(v) : 0;
    if (!json_is_integer(v) || value < min || value > max)
        return err_set(ERR_INVALID, "%s must be a whole number from %" PRId64 " to %" PRId64,
                       FIELD(where, key), min, max);
    *ret = value;
    return ERR_OK;
}

enum err json_get_i64(const struct json *obj, const char *where, const char *key, int64_t min, int64_t max,
                      int64_t *ret)
{
    return find(obj, key) ? json_opt_i64(obj, where, key, min, max, 0, ret) : missing(obj, where, key);
}

enum err json_opt_real(const struct json *obj, const char *where, const char *key, double min, double max,
                       double fallback, double *ret)
{
    const json_t *v = find(obj, key);
    if (!v) {
        *ret = fallback;
        return ERR_OK;
    }
    double value = json_is_number(v) ? json_number_value(v) : 0;
    if (!json_is_number(v) || !(value >= min && value <= max))
        return err_set(ERR_INVALID, "%s must be a number from %g to %g", FIELD(where, key), min, max);
    *ret = value;
    return ERR_OK;
}

enum err json_get_real(const struct json *obj, const char *where, const char *key, double min, double max,
                       double *ret)
{
    return find(obj, key) ? json_opt_real(obj, where, key, min, max, 0, ret) : missing(obj, where, key);
}

enum err json_opt_bool(const struct json *obj, const char *where, const char *key, bool fallback, bool *ret)
{
    const json_t *v = find(obj, key);
    if (v && !json_is_boolean(v))
        return err_set(ERR_INVALID, "%s must be true or false", FIELD(where, key));
    *ret = v ? json_is_true(v) : fallback;
    return ERR_OK;
}

enum err json_get_bool(const struct json *obj, const char *where, const char *key, bool *ret)
{
    return find(obj, key) ? json_opt_bool(obj, where, key, false, ret) : missing(obj, where, key);
}

enum err json_opt_array(const struct json *obj, const char *where, const char *key, size_t count_max,
                        const struct json **ret)
{
    const json_t *v = find(obj, key);
    if (v && !json_is_array(v))
        return err_set(ERR_INVALID, "%s must be a list", FIELD(where, key));
    if (v && json_array_size(v) > count_max)
        return err_set(ERR_LIMIT, "%s has %zu items, at most %zu are allowed", FIELD(where, key),
                       json_array_size(v), count_max);
    *ret = out_of(v);
    return ERR_OK;
}

enum err json_get_array(const struct json *obj, const char *where, const char *key, size_t count_max,
                        const struct json **ret)
{
    return find(obj, key) ? json_opt_array(obj, where, key, count_max, ret) : missing(obj, where, key);
}

enum err json_opt_object(const struct json *obj, const char *where, const char *key, const struct json **ret)
{
    const json_t *v = find(obj, key);
    if (v && !json_is_object(v))
        return err_set(ERR_INVALID, "%s must be an object", FIELD(where, key));
    *ret = out_of(v);
    return ERR_OK;
}

enum err json_get_object(const struct json *obj, const char *where, const char *key, const struct json **ret)
{
    return find(obj, key) ? json_opt_object(obj, where, key, ret) : missing(obj, where, key);
}

static bool listed(const char *key, const char *const *keys, size_t key_count)
{
    for (size_t i = 0; i < key_count; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

enum err json_only(const struct json *obj, const char *where, const char *const *keys, size_t key_count)
{
    if (!obj || !json_is_object(in(obj)))
        return err_set(ERR_INVALID, "%s must be an object", where && *where ? where : "the document");
    for (void *at = json_object_iter((json_t *)(uintptr_t)in(obj)); at;
         at = json_object_iter_next((json_t *)(uintptr_t)in(obj), at)) {
        const char *key = json_object_iter_key(at);
        if (listed(key, keys, key_count))
            continue;
        BUF_AUTO struct buf known = {.bytes_max = 700};
        for (size_t i = 0; i < key_count; i++)
            if (buf_printf(&known, "%s%s", i ? ", " : "", keys[i]) != ERR_OK)
                break;
        return err_set(ERR_INVALID, "unknown field '%.60s'%s%s; known fields are %s", key,
                       where && *where ? " in " : "", where ? where : "", buf_text(&known));
    }
    return ERR_OK;
}

size_t json_count(const struct json *v)
{
    return !v ? 0 : json_is_array(in(v)) ? json_array_size(in(v)) : json_object_size(in(v));
}

const struct json *json_at(const struct json *array, size_t index)
{
    return array ? out_of(json_array_get(in(array), index)) : NULL;
}

const struct json *json_field(const struct json *obj, const char *key)
{
    return obj && json_is_object(in(obj)) ? out_of(json_object_get(in(obj), key)) : NULL;
}

bool json_each(const struct json *obj, size_t i, const char **key, const struct json **ret_value)
{
    json_t *o = obj && json_is_object(in(obj)) ? (json_t *)(uintptr_t)in(obj) : NULL;
    void *at = !o ? NULL : i == 0 ? json_object_iter(o) : json_object_iter_at(o, *key);
    if (at && i > 0)
        at = json_object_iter_next(o, at);
    if (!at)
        return false;
    *key = json_object_iter_key(at);
    *ret_value = out_of(json_object_iter_value(at));
    return true;
}

const char *json_text(const struct json *v)
{
    return v ? json_string_value(in(v)) : NULL;
}

size_t json_text_len(const struct json *v)
{
    return v ? json_string_length(in(v)) : 0;
}

int64_t json_int(const struct json *v, int64_t fallback)
{
    return v && json_is_integer(in(v)) ? (int64_t)json_integer_value(in(v)) : fallback;
}

double json_number(const struct json *v, double fallback)
{
    return v && json_is_number(in(v)) ? json_number_value(in(v)) : fallback;
}

bool json_is_set(const struct json *v)
{
    return v && json_is_true(in(v));
}
