/* An attestation, and after its first 200 bytes (or all, where there are fewer) what a browser says of
 * itself. Laws: CBOR that passes is passed over whole or not at all; a passkey that is made has a key that
 * can be stored, and an id that lies within what was sent; nothing that is made up checks as a signature. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "server/cbor.h"
#include "server/passkey.h"

static const struct passkey_site site = {"localhost", "https://localhost:8443"};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct cbor c = {bytes, bytes + len};
    struct passkey p;
    uint32_t count;
    BUF_AUTO struct buf challenge = {0};
    const uint8_t *before = c.at;
    while (cbor_skip(&c) == ERR_OK) {
        assert(c.at > before && c.at <= c.end);
        before = c.at;
    }
    struct bytes all = {bytes, len}, rest = {bytes + (len > 200 ? 200 : len), len > 200 ? len - 200 : 0};
    if (passkey_made(&site, all, &p) == ERR_OK) {
        assert(p.key_len > 32 && p.key_len <= sizeof p.key && (p.key[0] == 1 || p.key[0] == 2));
        assert(p.id.data > bytes && p.id.data + p.id.len < bytes + len);
        assert(passkey_check(&site, &p, rest, all, all, &count) != ERR_OK);
    }
    enum err e = passkey_client(&site, "webauthn.get", rest, &challenge);
    if (e != ERR_OK)
        e = passkey_client(&site, "webauthn.get", all, &challenge);
    assert(e != ERR_OK || challenge.len <= 512);
    return 0;
}
