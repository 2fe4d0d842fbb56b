/* authenticator.h - a passkey made by the test itself: EdDSA, with every part of what it says open to change.
 */
#ifndef TESTS_LIB_AUTHENTICATOR_H
#define TESTS_LIB_AUTHENTICATOR_H

#include <string.h>

#include "base/sign.h"
#include "base/str.h"
#include "lib/t.h"
#include "server/passkey.h"

struct authenticator {
    struct private_key *key;
    struct public_key public;
    const char *rp_id, *origin, *type;
    uint8_t flags; /* present 1, verified 4 */
    uint32_t count;
    bool crossed;
};

static inline struct bytes bytes_of(const struct buf *b)
{
    return (struct bytes){(const uint8_t *)buf_text(b), b->len};
}

static inline void authenticator_client(const struct authenticator *a, const void *challenge, size_t len,
                                        struct buf *out)
{
    BUF_AUTO struct buf text = {0};
    assert_ok(str_base64url(challenge, len, &text));
    assert_ok(buf_printf(
        out, "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\",\"crossOrigin\":%s,\"other\":1}",
        a->type, buf_text(&text), a->origin, a->crossed ? "true" : "false"));
}

static inline void authenticator_data(const struct authenticator *a, bool with_key, struct buf *out)
{
    static const char cose[] = "\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20"; /* OKP, EdDSA, Ed25519, x */
    struct digest rp = hash_bytes(a->rp_id, strlen(a->rp_id));
    uint8_t tail[5] = {a->flags | (with_key ? 64 : 0), (uint8_t)(a->count >> 24), (uint8_t)(a->count >> 16),
                       (uint8_t)(a->count >> 8), (uint8_t)a->count};
    assert_ok(buf_add(out, rp.bytes, sizeof rp.bytes));
    assert_ok(buf_add(out, tail, sizeof tail));
    if (!with_key)
        return;
    assert_ok(buf_add(out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\4pass", 22));
    assert_ok(buf_add(out, cose, sizeof cose - 1));
    assert_ok(buf_add(out, a->public.bytes, sizeof a->public.bytes));
}

static inline void authenticator_attest(const struct authenticator *a, struct buf *out)
{
    BUF_AUTO struct buf data = {0};
    authenticator_data(a, true, &data);
    assert_ok(buf_add(out,
                      "\xa3\x63"
                      "fmt\x64none\x67"
                      "attStmt\xa0\x68"
                      "authData\x58",
                      29));
    assert_ok(buf_add_char(out, (char)data.len));
    assert_ok(buf_add(out, data.data, data.len));
}

static inline void authenticator_sign(const struct authenticator *a, const struct buf *client,
                                      const struct buf *data, struct signature *ret)
{
    BUF_AUTO struct buf all = {0};
    struct digest d = hash_bytes(client->data, client->len);
    assert_ok(buf_add(&all, data->data, data->len));
    assert_ok(buf_add(&all, d.bytes, sizeof d.bytes));
    assert_ok(sign_make(a->key, all.data, all.len, ret));
}

#endif
