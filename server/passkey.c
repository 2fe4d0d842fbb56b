/* passkey.c - see passkey.h */
#include "server/passkey.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "server/cbor.h"
#include "server/try.h"

/* Authenticator data: digest of the site's name, flags, counter; then, where it says so, a credential. */
enum { AT_FLAGS = 32, AT_COUNT = 33, FIXED_BYTES = 37, AAGUID_BYTES = 16 };
enum { FLAG_PRESENT = 1, FLAG_VERIFIED = 4, FLAG_CREDENTIAL = 64, FLAG_EXTENSIONS = 128 };

enum err passkey_site_of(const char *url, char *ret_host, char *ret_origin, size_t room)
{
    const char *https = "https://";
    if (!str_starts(url, https))
        return err_set(ERR_INVALID, "passkeys need an address that begins with https://");
    const char *host = url + strlen(https);
    size_t host_len = strcspn(host, ":/"), all = strlen(https) + strcspn(host, "/");
    if (host_len == 0 || host_len >= room || all >= room || host[0] == '[')
        return err_set(ERR_INVALID, "passkeys need a server with a name: %.100s has none", url);
    snprintf(ret_host, room, "%.*s", (int)host_len, host);
    snprintf(ret_origin, room, "%.*s", (int)all, url);
    if (strspn(ret_host, "0123456789.") == host_len)
        return err_set(ERR_INVALID, "passkeys need a server with a name, not a number as %.60s", ret_host);
    return ERR_OK;
}

enum err passkey_client(const struct passkey_site *site, const char *type, struct bytes client_data,
                        struct buf *challenge)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *text;
    bool crossed;
    TRY(json_parse((const char *)client_data.data, client_data.len, PASSKEY_CLIENT_BYTES_MAX, &doc));
    const struct json *root = json_root(doc);
    TRY(json_get_string(root, "client_data", "type", 64, &text));
    if (!str_eq(text, type))
        return err_set(ERR_DENIED, "the passkey was used for something else (%.40s)", text);
    TRY(json_get_string(root, "client_data", "origin", 512, &text));
    if (!str_eq(text, site->origin))
        return err_set(ERR_DENIED,
                       "the passkey was used on the page of another site (%.100s, this is %.100s)", text,
                       site->origin);
    TRY(json_opt_bool(root, "client_data", "crossOrigin", false, &crossed));
    if (crossed)
        return err_set(ERR_DENIED, "the passkey was used within the page of another site");
    TRY(json_get_string(root, "client_data", "challenge", 512, &text));
    return str_unbase64url(text, strlen(text), challenge);
}

/* --- authenticator data --- */

static uint32_t number(const uint8_t *at, int bytes)
{
    uint32_t n = 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | at[i];
    return n;
}

static enum err check_data(const struct passkey_site *site, struct bytes data, uint8_t *ret_flags)
{
    if (data.len < FIXED_BYTES)
        return err_set(ERR_INVALID, "the authenticator's data is cut off");
    struct digest rp = hash_bytes(site->rp_id, strlen(site->rp_id));
    if (memcmp(rp.bytes, data.data, DIGEST_BYTES) != 0)
        return err_set(ERR_DENIED, "the passkey belongs to another site than %.100s", site->rp_id);
    *ret_flags = data.data[AT_FLAGS];
    if (!(*ret_flags & FLAG_PRESENT) || !(*ret_flags & FLAG_VERIFIED))
        return err_set(ERR_DENIED,
                       "the authenticator did not verify who used it: set a PIN or a fingerprint");
    return ERR_OK;
}

/* --- a public key (COSE, RFC 9052): a map with small numbers as names --- */

struct cose {
    int64_t kind, algorithm, curve;
    struct bytes x, y;
};

static int64_t as_int(const struct cbor_item *i)
{
    if (i->value > INT32_MAX)
        return 0;
    return i->kind == CBOR_UNSIGNED   ? (int64_t)i->value
           : i->kind == CBOR_NEGATIVE ? -1 - (int64_t)i->value
                                      : 0;
}

static enum err cose_read(struct cbor *c, struct cose *ret)
{
    struct cbor_item map, name, value;
    *ret = (struct cose){0};
    TRY(cbor_next(c, &map));
    if (map.kind != CBOR_MAP)
        return err_set(ERR_INVALID, "the passkey's public key is no map");
    for (uint64_t i = 0; i < map.value; i++) {
        TRY(cbor_next(c, &name));
        struct cbor at = *c;
        TRY(cbor_next(&at, &value));
        TRY(cbor_skip(c));
        if (cbor_is_int(&name, 1))
            ret->kind = as_int(&value);
        else if (cbor_is_int(&name, 3))
            ret->algorithm = as_int(&value);
        else if (cbor_is_int(&name, -1))
            ret->curve = as_int(&value);
        else if (cbor_is_int(&name, -2) && value.kind == CBOR_BYTES)
            ret->x = (struct bytes){value.bytes, (size_t)value.value};
        else if (cbor_is_int(&name, -3) && value.kind == CBOR_BYTES)
            ret->y = (struct bytes){value.bytes, (size_t)value.value};
    }
    return ERR_OK;
}

enum { COSE_OKP = 1, COSE_EC2 = 2, COSE_ES256 = -7, COSE_EDDSA = -8, COSE_P256 = 1, COSE_ED25519 = 6 };

static enum err key_keep(const struct cose *k, struct passkey *ret)
{
    if (k->kind == COSE_EC2 && k->algorithm == COSE_ES256 && k->curve == COSE_P256 && k->x.len == 32 &&
        k->y.len == 32) {
        ret->key[0] = PASSKEY_ES256;
        memcpy(ret->key + 1, k->x.data, 32);
        memcpy(ret->key + 33, k->y.data, 32);
        ret->key_len = 1 + SIGN_POINT_BYTES;
        return sign_point_is_good(ret->key + 1)
                   ? ERR_OK
                   : err_set(ERR_DENIED, "the passkey's public key is not on its curve");
    }
    if (k->kind == COSE_OKP && k->algorithm == COSE_EDDSA && k->curve == COSE_ED25519 &&
        k->x.len == SIGN_KEY_BYTES) {
        ret->key[0] = PASSKEY_EDDSA;
        memcpy(ret->key + 1, k->x.data, SIGN_KEY_BYTES);
        ret->key_len = 1 + SIGN_KEY_BYTES;
        return ERR_OK;
    }
    return err_set(ERR_UNSUPPORTED, "the passkey's key is neither ES256 nor EdDSA");
}

static enum err credential_read(struct bytes data, uint8_t flags, struct passkey *ret)
{
    struct cbor c = {.end = data.data + data.len};
    struct cose key;
    if (!(flags & FLAG_CREDENTIAL) || data.len < FIXED_BYTES + AAGUID_BYTES + 2)
        return err_set(ERR_INVALID, "the authenticator's data has no new passkey");
    const uint8_t *at = data.data + FIXED_BYTES + AAGUID_BYTES;
    ret->id = (struct bytes){at + 2, number(at, 2)};
    if (ret->id.len == 0 || ret->id.len > PASSKEY_ID_BYTES_MAX ||
        ret->id.len > (size_t)(c.end - ret->id.data))
        return err_set(ERR_INVALID, "the passkey's id has %zu bytes", ret->id.len);
    c.at = ret->id.data + ret->id.len;
    TRY(cose_read(&c, &key));
    if (flags & FLAG_EXTENSIONS)
        TRY(cbor_skip(&c));
    if (c.at != c.end)
        return err_set(ERR_INVALID, "the authenticator's data goes on after its end");
    ret->count = number(data.data + AT_COUNT, 4);
    return key_keep(&key, ret);
}

enum err passkey_made(const struct passkey_site *site, struct bytes attestation, struct passkey *ret)
{
    struct cbor c = {attestation.data, attestation.data + attestation.len};
    struct cbor_item map, name, value;
    struct bytes data = {0};
    uint8_t flags;
    TRY(cbor_next(&c, &map));
    if (map.kind != CBOR_MAP)
        return err_set(ERR_INVALID, "the attestation is no map");
    for (uint64_t i = 0; i < map.value; i++) {
        TRY(cbor_next(&c, &name));
        struct cbor at = c;
        TRY(cbor_next(&at, &value));
        TRY(cbor_skip(&c));
        if (cbor_is_text(&name, "authData") && value.kind == CBOR_BYTES)
            data = (struct bytes){value.bytes, (size_t)value.value};
    }
    if (c.at != c.end)
        return err_set(ERR_INVALID, "the attestation goes on after its end");
    *ret = (struct passkey){0};
    TRY(check_data(site, data, &flags));
    return credential_read(data, flags, ret);
}

/* --- a signature --- */

static bool is_signed(const struct passkey *known, const struct buf *bytes, struct bytes signature)
{
    struct public_key key;
    struct signature plain;
    if (known->key_len == 1 + SIGN_POINT_BYTES && known->key[0] == PASSKEY_ES256)
        return sign_check_p256(known->key + 1, bytes->data, bytes->len, signature.data, signature.len);
    if (known->key_len != 1 + SIGN_KEY_BYTES || known->key[0] != PASSKEY_EDDSA ||
        signature.len != SIGN_SIGNATURE_BYTES)
        return false;
    memcpy(key.bytes, known->key + 1, SIGN_KEY_BYTES);
    memcpy(plain.bytes, signature.data, SIGN_SIGNATURE_BYTES);
    return sign_check(&key, bytes->data, bytes->len, &plain);
}

enum err passkey_check(const struct passkey_site *site, const struct passkey *known, struct bytes client_data,
                       struct bytes data, struct bytes signature, uint32_t *ret_count)
{
    BUF_AUTO struct buf bytes = {0};
    struct digest client = hash_bytes(client_data.data, client_data.len);
    uint8_t flags;
    TRY(check_data(site, data, &flags));
    TRY(buf_add(&bytes, data.data, data.len));
    TRY(buf_add(&bytes, client.bytes, DIGEST_BYTES));
    if (!is_signed(known, &bytes, signature))
        return err_set(ERR_DENIED, "the passkey's signature does not check");
    uint32_t count = number(data.data + AT_COUNT, 4);
    if ((count != 0 || known->count != 0) && count <= known->count)
        return err_set(
            ERR_DENIED,
            "this passkey seems to exist twice: its counter went back; remove it and make another");
    *ret_count = count;
    return ERR_OK;
}
