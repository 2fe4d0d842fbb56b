/* json.c - what is in a document that was read, see json.h. Reading is in json_parse.c, writing in
 * json_out.c. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_in.h"

int json_key_compare(const struct json *member, const char *key, size_t len)
{
    size_t shorter = member->key_len < len ? member->key_len : len;
    int n = memcmp(member->key, key, shorter);
    return n ? n : (member->key_len > len) - (member->key_len < len);
}

static const struct json *search(const struct json *obj, const char *key, size_t len)
{
    const struct json *all = obj->as.members;
    for (uint32_t from = 0, to = obj->count; from < to;) {
        uint32_t middle = from + (to - from) / 2;
        const struct json *member = &all[all[middle].rank];
        int n = json_key_compare(member, key, len);
        if (n == 0)
            return member;
        if (n < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

const struct json *json_field(const struct json *obj, const char *key)
{
    if (!obj || obj->kind != JSON_IS_OBJECT)
        return NULL;
    size_t len = strlen(key);
    if (obj->count > JSON_FEW)
        return search(obj, key, len);
    for (uint32_t i = 0; i < obj->count; i++) {
        const struct json *member = &obj->as.members[i];
        if (member->key_len == len && memcmp(member->key, key, len) == 0)
            return member;
    }
    return NULL;
}

enum json_kind json_kind(const struct json *v)
{
    return v ? v->kind : JSON_IS_NULL;
}

static bool is_a(const struct json *v, enum json_kind kind)
{
    return v && v->kind == kind;
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
    if (!obj || obj->kind != JSON_IS_OBJECT)
        return err_set(ERR_INVALID, "%s must be an object", where && *where ? where : "the document");
    return err_set(ERR_INVALID, "%s is missing", FIELD(where, key));
}

/* The field, or NULL where it is missing or null. */
static const struct json *find(const struct json *obj, const char *key)
{
    const struct json *v = json_field(obj, key);
    return v && v->kind != JSON_IS_NULL ? v : NULL;
}

enum err json_opt_string(const struct json *obj, const char *where, const char *key, size_t bytes_max,
                         const char *fallback, const char **ret)
{
    const struct json *v = find(obj, key);
    if (!v) {
        *ret = fallback;
        return ERR_OK;
    }
    if (v->kind != JSON_IS_TEXT)
        return err_set(ERR_INVALID, "%s must be a string", FIELD(where, key));
    if (v->count > bytes_max)
        return err_set(ERR_LIMIT, "%s is longer than %zu bytes", FIELD(where, key), bytes_max);
    *ret = v->as.text;
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
    const struct json *v = find(obj, key);
    if (!v) {
        *ret = fallback;
        return ERR_OK;
    }
    int64_t value = v->kind == JSON_IS_INT ? v->as.i : 0;
    if (v->kind != JSON_IS_INT || value < min || value > max)
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
    const struct json *v = find(obj, key);
    if (!v) {
        *ret = fallback;
        return ERR_OK;
    }
    double value = json_number(v, NAN);
    if (!(value >= min && value <= max))
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
    const struct json *v = find(obj, key);
    if (v && v->kind != JSON_IS_BOOL)
        return err_set(ERR_INVALID, "%s must be true or false", FIELD(where, key));
    *ret = v ? v->count != 0 : fallback;
    return ERR_OK;
}

enum err json_get_bool(const struct json *obj, const char *where, const char *key, bool *ret)
{
    return find(obj, key) ? json_opt_bool(obj, where, key, false, ret) : missing(obj, where, key);
}

enum err json_opt_array(const struct json *obj, const char *where, const char *key, size_t count_max,
                        const struct json **ret)
{
    const struct json *v = find(obj, key);
    if (v && v->kind != JSON_IS_ARRAY)
        return err_set(ERR_INVALID, "%s must be a list", FIELD(where, key));
    if (v && v->count > count_max)
        return err_set(ERR_LIMIT, "%s has %u items, at most %zu are allowed", FIELD(where, key), v->count,
                       count_max);
    *ret = v;
    return ERR_OK;
}

enum err json_get_array(const struct json *obj, const char *where, const char *key, size_t count_max,
                        const struct json **ret)
{
    return find(obj, key) ? json_opt_array(obj, where, key, count_max, ret) : missing(obj, where, key);
}

enum err json_opt_object(const struct json *obj, const char *where, const char *key, const struct json **ret)
{
    const struct json *v = find(obj, key);
    if (v && v->kind != JSON_IS_OBJECT)
        return err_set(ERR_INVALID, "%s must be an object", FIELD(where, key));
    *ret = v;
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
    if (!obj || obj->kind != JSON_IS_OBJECT)
        return err_set(ERR_INVALID, "%s must be an object", where && *where ? where : "the document");
    for (uint32_t m = 0; m < obj->count; m++) {
        const char *key = obj->as.members[m].key;
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
    return is_a(v, JSON_IS_ARRAY) || is_a(v, JSON_IS_OBJECT) ? v->count : 0;
}

const struct json *json_at(const struct json *array, size_t index)
{
    return is_a(array, JSON_IS_ARRAY) && index < array->count ? &array->as.members[index] : NULL;
}

bool json_each(const struct json *obj, size_t i, const char **key, const struct json **ret_value)
{
    if (!is_a(obj, JSON_IS_OBJECT) || i >= obj->count)
        return false;
    *ret_value = &obj->as.members[i];
    *key = (*ret_value)->key;
    return true;
}

const char *json_text(const struct json *v)
{
    return is_a(v, JSON_IS_TEXT) ? v->as.text : NULL;
}

size_t json_text_len(const struct json *v)
{
    return is_a(v, JSON_IS_TEXT) ? v->count : 0;
}

int64_t json_int(const struct json *v, int64_t fallback)
{
    return is_a(v, JSON_IS_INT) ? v->as.i : fallback;
}

double json_number(const struct json *v, double fallback)
{
    if (is_a(v, JSON_IS_INT))
        return (double)v->as.i;
    return is_a(v, JSON_IS_REAL) ? v->as.r : fallback;
}

bool json_is_set(const struct json *v)
{
    return is_a(v, JSON_IS_BOOL) && v->count != 0;
}
