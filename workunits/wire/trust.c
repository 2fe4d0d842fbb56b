/* trust.c - the chain of trust, see trust.h. The statements' text is in trust_text.c. */
#include "wire/trust.h"

#include <string.h>

#include "base/json.h"

void trust_init(struct trust *t, const struct digest *project_key)
{
    *t = (struct trust){.project_key = *project_key};
}

static bool holds_key(const struct key_set *set, const struct digest *id)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct digest d = sign_key_id(&set->keys[i]);
        if (digest_eq(&d, id))
            return true;
    }
    return false;
}

enum err trust_add_root(struct trust *t, const char *envelope, size_t len)
{
    struct root_statement next;
    BUF_AUTO struct buf claimed = {.bytes_max = ENVELOPE_BYTES_MAX},
                        proved = {.bytes_max = ENVELOPE_BYTES_MAX};
    enum err e = envelope_peek(envelope, len, ENVELOPE_TYPE_ROOT, &claimed);
    if (e == ERR_OK)
        e = root_parse(buf_text(&claimed), claimed.len,
                       &next); /* only to learn which keys must have signed */
    if (e != ERR_OK)
        return e;
    uint32_t wanted = t->has_root ? t->root.version + 1 : 1;
    if (t->has_root && next.version <= t->root.version)
        return err_set(ERR_STALE, "root version %u is not newer than %u", next.version, t->root.version);
    if (next.version != wanted)
        return err_set(ERR_UNTRUSTED, "root version %u does not follow: %u is wanted", next.version, wanted);
    if (!t->has_root && !holds_key(&next.root, &t->project_key))
        return err_set(
            ERR_UNTRUSTED,
            "the server's root keys are not those of the join link: this is another project, or a forgery");
    if (t->has_root)
        e = envelope_open(envelope, len, ENVELOPE_TYPE_ROOT, &t->root.root, &proved);
    buf_clear(&proved);
    if (e == ERR_OK)
        e = envelope_open(envelope, len, ENVELOPE_TYPE_ROOT, &next.root, &proved);
    if (e == ERR_OK && !t->has_root) {
        /* The first version is believed for the project key's own signature, not for a key that merely stands
         * beside it. */
        struct key_set only = {.threshold = 1};
        for (uint32_t i = 0; i < next.root.count; i++) {
            struct digest d = sign_key_id(&next.root.keys[i]);
            if (digest_eq(&d, &t->project_key))
                only.keys[only.count++] = next.root.keys[i];
        }
        buf_clear(&proved);
        e = envelope_open(envelope, len, ENVELOPE_TYPE_ROOT, &only, &proved);
    }
    if (e != ERR_OK)
        return err_prefix(e, "root version %u", next.version);
    t->root = next;
    t->has_root = true;
    return ERR_OK;
}

enum err trust_check(const struct trust *t, int64_t now_ms)
{
    if (!t->has_root)
        return err_set(ERR_UNTRUSTED, "the project's root statement is not known yet");
    if (t->root.expires_ms <= now_ms)
        return err_set(
            ERR_UNTRUSTED,
            "the root statement of project %s has expired: its operator must publish a new one (or this "
            "PC's clock is wrong)",
            t->root.project);
    return ERR_OK;
}

enum err trust_add_server(struct trust *t, const char *envelope, size_t len, int64_t now_ms)
{
    struct server_statement s;
    BUF_AUTO struct buf payload = {.bytes_max = ENVELOPE_BYTES_MAX};
    enum err e = trust_check(t, now_ms);
    if (e == ERR_OK)
        e = envelope_open(envelope, len, ENVELOPE_TYPE_SERVER, &t->root.work, &payload);
    if (e == ERR_OK)
        e = server_statement_parse(buf_text(&payload), payload.len, &s);
    if (e != ERR_OK)
        return err_prefix(e, "server statement");
    if (!digest_eq(&s.project_key, &t->project_key))
        return err_set(ERR_UNTRUSTED, "server statement: it is of another project");
    if (s.expires_ms <= now_ms)
        return err_set(ERR_UNTRUSTED, "server statement: it has expired (or this PC's clock is wrong)");
    if (t->has_server && s.issued_ms < t->server.issued_ms)
        return err_set(ERR_STALE, "server statement: older than the known one");
    t->server = s;
    t->has_server = true;
    return ERR_OK;
}

static enum err add_roots(struct trust *t, const struct json *root)
{
    const struct json *list = NULL;
    enum err e = json_get_array(root, "", "root", ROOT_VERSIONS_MAX, &list);
    for (size_t i = 0; e == ERR_OK && i < json_count(list); i++) {
        BUF_AUTO struct buf text = {.bytes_max = 2 * ENVELOPE_BYTES_MAX};
        e = json_dump(json_at(list, i), &text);
        if (e == ERR_OK)
            e = trust_add_root(t, buf_text(&text), text.len);
        if (e == ERR_STALE)
            e = ERR_OK;
    }
    return e;
}

enum err trust_add_project(struct trust *t, const char *body, size_t len, int64_t now_ms)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *server = NULL;
    struct trust next = *t;
    BUF_AUTO struct buf text = {.bytes_max = 2 * ENVELOPE_BYTES_MAX};
    enum err e = json_parse(body, len, JSON_BODY_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = add_roots(&next, json_root(doc));
    if (e == ERR_OK)
        e = json_get_object(json_root(doc), "", "server_statement", &server);
    if (e == ERR_OK)
        e = json_dump(server, &text);
    if (e == ERR_OK)
        e = trust_add_server(&next, buf_text(&text), text.len, now_ms);
    if (e != ERR_OK)
        return e;
    *t = next;
    return ERR_OK;
}
