/* trust_text.c - root and server statements as JSON, see trust.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "wire/trust.h"

static void put_keys(struct json_out *o, const struct key_set *set, char (*seen)[DIGEST_TEXT_BYTES],
                     size_t *seen_count)
{
    for (uint32_t i = 0; i < set->count; i++) {
        char id[DIGEST_TEXT_BYTES];
        bool known = false;
        BUF_AUTO struct buf text = {0};
        struct digest d = sign_key_id(&set->keys[i]);
        digest_text(&d, id);
        for (size_t j = 0; j < *seen_count; j++)
            known |= str_eq(seen[j], id);
        if (known || str_base64(set->keys[i].bytes, SIGN_KEY_BYTES, &text) != ERR_OK)
            continue;
        memcpy(seen[(*seen_count)++], id, sizeof id);
        json_out_string(o, id, buf_text(&text));
    }
}

static void put_role(struct json_out *o, const char *name, const struct key_set *set)
{
    json_out_object(o, name);
    json_out_array(o, "keys");
    for (uint32_t i = 0; i < set->count; i++) {
        char id[DIGEST_TEXT_BYTES];
        struct digest d = sign_key_id(&set->keys[i]);
        digest_text(&d, id);
        json_out_string(o, NULL, id);
    }
    json_out_close(o);
    json_out_u64(o, "threshold", set->threshold);
    json_out_close(o);
}

enum err root_print(const struct root_statement *r, struct buf *out)
{
    char seen[3 * SIGNATURES_MAX][DIGEST_TEXT_BYTES];
    size_t seen_count = 0;
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "project", r->project);
    json_out_u64(&o, "version", r->version);
    json_out_i64(&o, "issued_ms", r->issued_ms);
    json_out_i64(&o, "expires_ms", r->expires_ms);
    json_out_object(&o, "keys");
    put_keys(&o, &r->root, seen, &seen_count);
    put_keys(&o, &r->release, seen, &seen_count);
    put_keys(&o, &r->work, seen, &seen_count);
    json_out_close(&o);
    json_out_object(&o, "roles");
    put_role(&o, "root", &r->root);
    put_role(&o, "release", &r->release);
    put_role(&o, "work", &r->work);
    json_out_close(&o);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err read_key(const struct json *keys, const char *id, struct public_key *ret)
{
    BUF_AUTO struct buf bytes = {0};
    const char *text = NULL;
    struct digest wanted, got;
    enum err e = digest_parse(id, &wanted);
    if (e == ERR_OK)
        e = json_get_string(keys, "keys", id, 64, &text);
    if (e == ERR_OK)
        e = str_unbase64(text, strlen(text), &bytes);
    if (e != ERR_OK)
        return e;
    if (bytes.len != SIGN_KEY_BYTES)
        return err_set(ERR_INVALID, "key %.12s has %zu bytes, not %d", id, bytes.len, SIGN_KEY_BYTES);
    memcpy(ret->bytes, bytes.data, SIGN_KEY_BYTES);
    got = sign_key_id(ret);
    return digest_eq(&wanted, &got) ? ERR_OK : err_set(ERR_INVALID, "key %.12s has another id", id);
}

static enum err read_role(const struct json *root, const char *name, struct key_set *ret)
{
    static const char *const fields[] = {"keys", "threshold"};
    const struct json *roles, *role, *list, *keys;
    int64_t threshold = 0;
    enum err e;
    if ((e = json_get_object(root, "", "keys", &keys)) != ERR_OK ||
        (e = json_get_object(root, "", "roles", &roles)) != ERR_OK ||
        (e = json_get_object(roles, "roles", name, &role)) != ERR_OK ||
        (e = json_only(role, name, fields, 2)) != ERR_OK ||
        (e = json_get_array(role, name, "keys", SIGNATURES_MAX, &list)) != ERR_OK ||
        (e = json_get_i64(role, name, "threshold", 1, SIGNATURES_MAX, &threshold)) != ERR_OK)
        return e;
    *ret = (struct key_set){.threshold = (uint32_t)threshold};
    for (size_t i = 0; e == ERR_OK && i < json_count(list); i++) {
        const char *id = json_text(json_at(list, i));
        e = id ? read_key(keys, id, &ret->keys[ret->count])
               : err_set(ERR_INVALID, "roles.%s.keys must be strings", name);
        for (uint32_t j = 0; e == ERR_OK && j < ret->count; j++)
            if (memcmp(ret->keys[j].bytes, ret->keys[ret->count].bytes, SIGN_KEY_BYTES) == 0)
                e = err_set(ERR_INVALID, "roles.%s names a key twice", name);
        ret->count++;
    }
    if (e == ERR_OK && ret->count < ret->threshold)
        e = err_set(ERR_INVALID, "roles.%s has %u keys but wants %u signatures", name, ret->count,
                    ret->threshold);
    return e;
}

enum err root_parse(const char *payload, size_t len, struct root_statement *ret)
{
    static const char *const fields[] = {"project", "version", "issued_ms", "expires_ms", "keys", "roles"};
    static const char *const roles[] = {"root", "release", "work"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct root_statement r = {0};
    const char *project = NULL;
    int64_t version = 0;
    enum err e = json_parse(payload, len, ENVELOPE_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return err_prefix(e, "root statement");
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "", fields, 6)) == ERR_OK &&
        (e = json_get_string(root, "", "project", NAME_BYTES_MAX, &project)) == ERR_OK &&
        (e = json_get_i64(root, "", "version", 1, INT32_MAX, &version)) == ERR_OK &&
        (e = json_get_i64(root, "", "issued_ms", 0, INT64_MAX, &r.issued_ms)) == ERR_OK &&
        (e = json_get_i64(root, "", "expires_ms", 0, INT64_MAX, &r.expires_ms)) == ERR_OK &&
        (e = json_only(json_field(root, "roles"), "roles", roles, 3)) == ERR_OK &&
        (e = read_role(root, "root", &r.root)) == ERR_OK &&
        (e = read_role(root, "release", &r.release)) == ERR_OK)
        e = read_role(root, "work", &r.work);
    if (e != ERR_OK)
        return err_prefix(e, "root statement");
    snprintf(r.project, sizeof r.project, "%s", project);
    r.version = (uint32_t)version;
    *ret = r;
    return ERR_OK;
}

enum err server_statement_print(const struct server_statement *s, struct buf *out)
{
    char key[DIGEST_TEXT_BYTES];
    struct json_out o;
    digest_text(&s->project_key, key);
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "project", key);
    json_out_i64(&o, "issued_ms", s->issued_ms);
    json_out_i64(&o, "expires_ms", s->expires_ms);
    json_out_array(&o, "urls");
    for (uint32_t i = 0; i < s->url_count; i++)
        json_out_string(&o, NULL, s->urls[i]);
    json_out_close(&o);
    json_out_array(&o, "tls_pins");
    for (uint32_t i = 0; i < s->pin_count; i++)
        json_out_string(&o, NULL, s->pins[i]);
    json_out_close(&o);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err read_texts(const struct json *root, const char *key, size_t most, char *to, size_t each,
                           uint32_t *ret_count)
{
    const struct json *list = NULL;
    enum err e = json_get_array(root, "", key, most, &list);
    for (size_t i = 0; e == ERR_OK && i < json_count(list); i++) {
        const char *text = json_text(json_at(list, i));
        if (!text || strlen(text) >= each)
            return err_set(ERR_INVALID, "%s[%zu] must be a string shorter than %zu bytes", key, i, each);
        snprintf(to + i * each, each, "%s", text);
        *ret_count = (uint32_t)i + 1;
    }
    return e;
}

enum err server_statement_parse(const char *payload, size_t len, struct server_statement *ret)
{
    static const char *const fields[] = {"project", "issued_ms", "expires_ms", "urls", "tls_pins"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct server_statement s = {0};
    const char *project = NULL;
    enum err e = json_parse(payload, len, ENVELOPE_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "", fields, 5)) == ERR_OK &&
        (e = json_get_string(root, "", "project", 64, &project)) == ERR_OK &&
        (e = digest_parse(project, &s.project_key)) == ERR_OK &&
        (e = json_get_i64(root, "", "issued_ms", 0, INT64_MAX, &s.issued_ms)) == ERR_OK &&
        (e = json_get_i64(root, "", "expires_ms", 0, INT64_MAX, &s.expires_ms)) == ERR_OK &&
        (e = read_texts(root, "urls", SERVER_URLS_MAX, s.urls[0], URL_BYTES_MAX, &s.url_count)) == ERR_OK)
        e = read_texts(root, "tls_pins", SERVER_PINS_MAX, s.pins[0], PIN_TEXT_BYTES, &s.pin_count);
    if (e == ERR_OK)
        *ret = s;
    return e;
}
