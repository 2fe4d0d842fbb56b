/* Envelopes: raw ones (first byte 'r') never open, because nobody has the key; a sound one that was edited
 * opens to the bytes that were signed or not at all. */
#include "fuzz/again.h"
#include "fuzz/edits.h"
#include "wire/envelope.h"

static const char payload[] = "{\"what\":\"was signed\"}";

struct sound {
    struct key_set keys;
    struct private_key *one, *two;
    struct buf envelope;
};

static const struct sound *make_sound(void)
{
    static struct sound s;
    if (s.envelope.len)
        return &s;
    again_must(sign_key_new(&s.one), "sign_key_new");
    again_must(sign_key_new(&s.two), "sign_key_new");
    const struct private_key *both[] = {s.one, s.two};
    s.keys = (struct key_set){.count = 2, .threshold = 2};
    again_must(sign_key_public(s.one, &s.keys.keys[0]), "sign_key_public");
    again_must(sign_key_public(s.two, &s.keys.keys[1]), "sign_key_public");
    again_must(envelope_make(ENVELOPE_TYPE_RELEASE, payload, sizeof payload - 1, both, 2, &s.envelope),
               "envelope_make");
    return &s;
}

static void read_raw(const struct sound *s, const char *text, size_t len)
{
    BUF_AUTO struct buf out = {0}, more = {0}, peeked = {0};
    struct digest ids[SIGNATURES_MAX];
    size_t count = 0;
    assert(envelope_open(text, len, ENVELOPE_TYPE_RELEASE, &s->keys, &out) != ERR_OK && !out.len);
    enum err signers = envelope_signers(text, len, ids, &count);
    assert(signers != ERR_OK || count <= SIGNATURES_MAX);
    if (envelope_peek(text, len, ENVELOPE_TYPE_RELEASE, &peeked) == ERR_OK &&
        envelope_sign(text, len, s->one, &more) == ERR_OK) {
        struct key_set only = {.count = 1, .threshold = 1, .keys = {s->keys.keys[0]}};
        again_must(envelope_open(buf_text(&more), more.len, ENVELOPE_TYPE_RELEASE, &only, &out),
                   "envelope_open of what was signed here");
        again_same(&peeked, &out);
    }
}

static void read_edited(const struct sound *s, const uint8_t *edits, size_t len)
{
    BUF_AUTO struct buf text = {0}, out = {0};
    again_must(buf_add(&text, s->envelope.data, s->envelope.len), "buf_add");
    edits_apply(&text, edits, len);
    if (envelope_open(text.data, text.len, ENVELOPE_TYPE_RELEASE, &s->keys, &out) == ERR_OK)
        assert(strcmp(buf_text(&out), payload) == 0);
    else
        assert(!out.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct sound *s = make_sound();
    if (len < 1)
        return 0;
    if (bytes[0] == 'r')
        read_raw(s, (const char *)bytes + 1, len - 1);
    else
        read_edited(s, bytes + 1, len - 1);
    return 0;
}
