/* envelope.c - see envelope.h */
#include "wire/envelope.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body */
static enum err pae(const char *type, const void *payload, size_t len, struct buf *out)
{
    enum err e = buf_printf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, len);
    return e == ERR_OK ? buf_add(out, payload, len) : e;
}

static enum err put_signature(struct json_out *o, const struct private_key *key,
                              const struct buf *signed_bytes)
{
    struct public_key public;
    struct signature sig;
    char id[DIGEST_TEXT_BYTES];
    BUF_AUTO struct buf text = {0};
    enum err e = sign_key_public(key, &public);
    if (e == ERR_OK)
        e = sign_make(key, signed_bytes->data, signed_bytes->len, &sig);
    if (e == ERR_OK)
        e = str_base64(sig.bytes, sizeof sig.bytes, &text);
    if (e != ERR_OK)
        return e;
    struct digest d = sign_key_id(&public);
    digest_text(&d, id);
    json_out_object(o, NULL);
    json_out_string(o, "keyid", id);
    json_out_string(o, "sig", buf_text(&text));
    json_out_close(o);
    return ERR_OK;
}

static enum err put_head(struct json_out *o, const char *type, const void *payload, size_t len)
{
    BUF_AUTO struct buf text = {0};
    enum err e = str_base64(payload, len, &text);
    json_out_object(o, NULL);
    json_out_string(o, "payloadType", type);
    json_out_string(o, "payload", buf_text(&text));
    json_out_array(o, "signatures");
    return e;
}

enum err envelope_make(const char *type, const void *payload, size_t len,
                       const struct private_key *const *keys, size_t key_count, struct buf *out)
{
    struct json_out o;
    BUF_AUTO struct buf signed_bytes = {0};
    json_out_init(&o, out);
    enum err e = key_count <= SIGNATURES_MAX ? pae(type, payload, len, &signed_bytes)
                                             : err_set(ERR_LIMIT, "more than %d signatures", SIGNATURES_MAX);
    if (e == ERR_OK)
        e = put_head(&o, type, payload, len);
    for (size_t i = 0; e == ERR_OK && i < key_count; i++)
        e = put_signature(&o, keys[i], &signed_bytes);
    json_out_close(&o);
    json_out_close(&o);
    return e == ERR_OK ? json_out_end(&o) : e;
}

struct opened {
    struct json_doc *doc;
    const char *type;
    const struct json *signatures;
    struct buf payload;
};

static void opened_done(struct opened *x)
{
    json_free(x->doc);
    buf_done(&x->payload);
}

/* Reads the envelope's form; the payload stays private to this file until signatures are checked. */
static enum err read_form(const char *envelope, size_t len, const char *type, struct opened *x)
{
    static const char *const fields[] = {"payloadType", "payload", "signatures"};
    const char *payload = NULL;
    *x = (struct opened){.payload = {.bytes_max = ENVELOPE_BYTES_MAX}};
    enum err e = json_parse(envelope, len, 2 * ENVELOPE_BYTES_MAX, &x->doc);
    if (e != ERR_OK)
        return err_prefix(e, "envelope");
    const struct json *root = json_root(x->doc);
    if ((e = json_only(root, "envelope", fields, 3)) == ERR_OK &&
        (e = json_get_string(root, "envelope", "payloadType", 128, &x->type)) == ERR_OK &&
        (e = json_get_string(root, "envelope", "payload", 2 * ENVELOPE_BYTES_MAX, &payload)) == ERR_OK &&
        (e = json_get_array(root, "envelope", "signatures", SIGNATURES_MAX, &x->signatures)) == ERR_OK)
        e = str_unbase64(payload, strlen(payload), &x->payload);
    if (e == ERR_OK && type && !str_eq(type, x->type))
        e = err_set(ERR_INVALID, "envelope holds %.100s, %s is wanted", x->type, type);
    if (e != ERR_OK)
        opened_done(x);
    return e;
}

static enum err read_signature(const struct json *item, struct digest *ret_id, struct signature *ret_sig)
{
    static const char *const fields[] = {"keyid", "sig"};
    const char *id = NULL, *sig = NULL;
    BUF_AUTO struct buf bytes = {0};
    enum err e;
    if ((e = json_only(item, "signatures", fields, 2)) != ERR_OK ||
        (e = json_get_string(item, "signatures", "keyid", 64, &id)) != ERR_OK ||
        (e = json_get_string(item, "signatures", "sig", 128, &sig)) != ERR_OK ||
        (e = digest_parse(id, ret_id)) != ERR_OK || (e = str_unbase64(sig, strlen(sig), &bytes)) != ERR_OK)
        return e;
    if (bytes.len != SIGN_SIGNATURE_BYTES)
        return err_set(ERR_INVALID, "a signature has %zu bytes, not %d", bytes.len, SIGN_SIGNATURE_BYTES);
    memcpy(ret_sig->bytes, bytes.data, SIGN_SIGNATURE_BYTES);
    return ERR_OK;
}

static int key_of(const struct key_set *keys, const struct digest *id)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        struct digest d = sign_key_id(&keys->keys[i]);
        if (digest_eq(&d, id))
            return (int)i;
    }
    return -1;
}

static enum err count_signers(const struct opened *x, const struct key_set *keys, uint32_t *ret_good)
{
    bool counted[SIGNATURES_MAX] = {false};
    BUF_AUTO struct buf signed_bytes = {0};
    enum err e = pae(x->type, x->payload.data, x->payload.len, &signed_bytes);
    *ret_good = 0;
    for (size_t i = 0; e == ERR_OK && i < json_count(x->signatures); i++) {
        struct digest id;
        struct signature sig;
        e = read_signature(json_at(x->signatures, i), &id, &sig);
        int at = e == ERR_OK ? key_of(keys, &id) : -1;
        if (at < 0 || counted[at] || !sign_check(&keys->keys[at], signed_bytes.data, signed_bytes.len, &sig))
            continue;
        counted[at] = true;
        ++*ret_good;
    }
    return e;
}

/* By the word that tells its type from others: "application/vnd.dugnad.release+json" is a release. */
static enum err too_few(const struct opened *x, uint32_t good, uint32_t needed)
{
    const char *dot = strrchr(x->type, '.'), *word = dot ? dot + 1 : x->type;
    return err_set(ERR_UNTRUSTED, "%.*s: %u of the keys that this project signs it with have signed, %u must",
                   (int)strcspn(word, "+"), word, good, needed);
}

enum err envelope_open(const char *envelope, size_t len, const char *type, const struct key_set *keys,
                       struct buf *payload)
{
    struct opened x;
    uint32_t good = 0;
    enum err e = read_form(envelope, len, type, &x);
    if (e != ERR_OK)
        return e;
    e = count_signers(&x, keys, &good);
    if (e == ERR_OK && (keys->threshold == 0 || good < keys->threshold))
        e = too_few(&x, good, keys->threshold);
    if (e == ERR_OK)
        e = buf_add(payload, x.payload.data, x.payload.len);
    opened_done(&x);
    return e;
}

enum err envelope_peek(const char *envelope, size_t len, const char *type, struct buf *payload)
{
    struct opened x;
    enum err e = read_form(envelope, len, type, &x);
    if (e != ERR_OK)
        return e;
    e = buf_add(payload, x.payload.data, x.payload.len);
    opened_done(&x);
    return e;
}

enum err envelope_signers(const char *envelope, size_t len, struct digest ret_ids[SIGNATURES_MAX],
                          size_t *ret_count)
{
    struct opened x;
    struct signature sig;
    enum err e = read_form(envelope, len, NULL, &x);
    if (e != ERR_OK)
        return e;
    *ret_count = json_count(x.signatures);
    for (size_t i = 0; e == ERR_OK && i < *ret_count; i++)
        e = read_signature(json_at(x.signatures, i), &ret_ids[i], &sig);
    opened_done(&x);
    return e;
}

static enum err copy_others(struct json_out *o, const struct json *signatures, const struct digest *not_this)
{
    for (size_t i = 0; i < json_count(signatures); i++) {
        struct digest id;
        struct signature sig;
        enum err e = read_signature(json_at(signatures, i), &id, &sig);
        if (e != ERR_OK)
            return e;
        if (!digest_eq(&id, not_this))
            json_out_value(o, NULL, json_at(signatures, i));
    }
    return ERR_OK;
}

enum err envelope_sign(const char *envelope, size_t len, const struct private_key *key, struct buf *out)
{
    struct opened x;
    struct json_out o;
    struct public_key public;
    BUF_AUTO struct buf signed_bytes = {0};
    enum err e = read_form(envelope, len, NULL, &x);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, out);
    e = sign_key_public(key, &public);
    struct digest id = sign_key_id(&public);
    if (e == ERR_OK)
        e = pae(x.type, x.payload.data, x.payload.len, &signed_bytes);
    if (e == ERR_OK)
        e = put_head(&o, x.type, x.payload.data, x.payload.len);
    if (e == ERR_OK)
        e = copy_others(&o, x.signatures, &id);
    if (e == ERR_OK)
        e = put_signature(&o, key, &signed_bytes);
    json_out_close(&o);
    json_out_close(&o);
    if (e == ERR_OK)
        e = json_out_end(&o);
    opened_done(&x);
    return e;
}
