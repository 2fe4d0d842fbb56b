#include "lib/t.h"

#include <string.h>

#include "base/merkle.h"
#include "wire/order.h"
#include "wire/trust.h"

enum { NOW_MS = 1000000 };

struct keys {
    struct private_key *root, *release, *work, *other;
    struct public_key root_public, release_public, work_public;
};

static struct keys make_keys(void)
{
    struct keys k;
    assert_ok(sign_key_new(&k.root));
    assert_ok(sign_key_new(&k.release));
    assert_ok(sign_key_new(&k.work));
    assert_ok(sign_key_new(&k.other));
    assert_ok(sign_key_public(k.root, &k.root_public));
    assert_ok(sign_key_public(k.release, &k.release_public));
    assert_ok(sign_key_public(k.work, &k.work_public));
    return k;
}

static void free_keys(struct keys *k)
{
    sign_key_free(k->root);
    sign_key_free(k->release);
    sign_key_free(k->work);
    sign_key_free(k->other);
}

static struct root_statement a_root(const struct keys *k, uint32_t version)
{
    return (struct root_statement){
        .project = "test",
        .version = version,
        .expires_ms = 2 * NOW_MS,
        .root = {.count = 1, .threshold = 1, .keys = {k->root_public}},
        .release = {.count = 1, .threshold = 1, .keys = {k->release_public}},
        .work = {.count = 1, .threshold = 1, .keys = {k->work_public}},
    };
}

static void envelope_of_root(const struct root_statement *root, const struct private_key *key,
                             struct buf *out)
{
    BUF_AUTO struct buf text = {0};
    assert_ok(root_print(root, &text));
    assert_ok(envelope_make(ENVELOPE_TYPE_ROOT, text.data, text.len, &key, 1, out));
}

static void an_envelope_opens_only_with_enough_different_keys_of_the_role(void **state)
{
    (void)state;
    struct keys k = make_keys();
    struct key_set set = {.count = 2, .threshold = 2, .keys = {k.root_public, k.release_public}};
    const struct private_key *both[] = {k.root, k.release}, *twice[] = {k.root, k.root};
    BUF_AUTO struct buf good = {0}, same = {0}, out = {0}, more = {0};
    assert_ok(envelope_make("type", "hello", 5, both, 2, &good));
    assert_ok(envelope_open(good.data, good.len, "type", &set, &out));
    assert_string_equal(out.data, "hello");
    assert_err(envelope_open(good.data, good.len, "other", &set, &out), ERR_INVALID);
    assert_ok(envelope_make("type", "hello", 5, twice, 2, &same));
    assert_err(envelope_open(same.data, same.len, "type", &set, &out), ERR_UNTRUSTED);
    assert_ok(envelope_sign(same.data, same.len, k.release, &more));
    assert_ok(envelope_open(more.data, more.len, "type", &set, &out));
    set.threshold = 0;
    assert_err(envelope_open(good.data, good.len, "type", &set, &out), ERR_UNTRUSTED);
    free_keys(&k);
}

static void a_changed_byte_of_an_envelope_is_never_accepted(void **state)
{
    (void)state;
    struct keys k = make_keys();
    struct key_set set = {.count = 1, .threshold = 1, .keys = {k.root_public}};
    const struct private_key *key = k.root;
    BUF_AUTO struct buf envelope = {0};
    assert_ok(envelope_make("type", "the payload", 11, &key, 1, &envelope));
    for (size_t i = 0; i < envelope.len; i++) {
        BUF_AUTO struct buf out = {0};
        envelope.data[i] ^= 1;
        enum err e = envelope_open(envelope.data, envelope.len, "type", &set, &out);
        if (e == ERR_OK) /* a change of white space or of a key's name may leave the signed bytes as they
                            were: never others */
            assert_string_equal(out.data, "the payload");
        assert_true(e == ERR_OK || out.len == 0);
        envelope.data[i] ^= 1;
    }
    free_keys(&k);
}

static void a_root_is_believed_only_from_the_project_key_on(void **state)
{
    (void)state;
    struct keys k = make_keys();
    struct root_statement root = a_root(&k, 1);
    struct digest project = sign_key_id(&k.root_public), stranger = sign_key_id(&k.work_public);
    struct trust t;
    BUF_AUTO struct buf good = {0}, forged = {0};
    envelope_of_root(&root, k.root, &good);
    envelope_of_root(&root, k.other, &forged);
    trust_init(&t, &stranger);
    assert_err(trust_add_root(&t, good.data, good.len), ERR_UNTRUSTED);
    trust_init(&t, &project);
    assert_err(trust_check(&t, NOW_MS), ERR_UNTRUSTED);
    assert_err(trust_add_root(&t, forged.data, forged.len), ERR_UNTRUSTED);
    assert_ok(trust_add_root(&t, good.data, good.len));
    assert_ok(trust_check(&t, NOW_MS));
    assert_err(trust_check(&t, 3 * NOW_MS), ERR_UNTRUSTED);
    assert_err(trust_add_root(&t, good.data, good.len), ERR_STALE);
    free_keys(&k);
}

static void a_new_root_needs_the_old_root_keys_and_no_version_is_skipped_or_taken_back(void **state)
{
    (void)state;
    struct keys k = make_keys();
    struct digest project = sign_key_id(&k.root_public);
    struct root_statement one = a_root(&k, 1), two = a_root(&k, 2), three = a_root(&k, 3);
    const struct private_key *both[] = {k.root, k.other};
    struct trust t;
    BUF_AUTO struct buf first = {0}, lone = {0}, text = {0}, second = {0}, skipped = {0};
    assert_ok(sign_key_public(k.other, &two.root.keys[0]));
    envelope_of_root(&one, k.root, &first);
    envelope_of_root(&two, k.other, &lone);
    envelope_of_root(&three, k.root, &skipped);
    trust_init(&t, &project);
    assert_ok(trust_add_root(&t, first.data, first.len));
    assert_err(trust_add_root(&t, lone.data, lone.len), ERR_UNTRUSTED);
    assert_err(trust_add_root(&t, skipped.data, skipped.len), ERR_UNTRUSTED);
    assert_ok(root_print(&two, &text));
    assert_ok(envelope_make(ENVELOPE_TYPE_ROOT, text.data, text.len, both, 2, &second));
    assert_ok(trust_add_root(&t, second.data, second.len));
    assert_int_equal(t.root.version, 2);
    assert_err(trust_add_root(&t, first.data, first.len), ERR_STALE);
    assert_int_equal(t.root.version, 2);
    free_keys(&k);
}

enum { UNITS = 5 };

struct chunk {
    struct buf specs[UNITS], envelope;
    struct digest leaves[UNITS], path[MERKLE_PATH_MAX];
    struct unit_proof proof;
};

static void make_chunk(const struct keys *k, struct chunk *c, uint32_t at)
{
    struct units_statement s = {
        .project_key = sign_key_id(&k->root_public), .batch = 7, .first = 256, .count = UNITS};
    BUF_AUTO struct buf text = {0};
    const struct private_key *work = k->work;
    memset(c, 0, sizeof *c);
    s.order = hash_bytes("order", 5);
    for (uint32_t i = 0; i < UNITS; i++) {
        assert_ok(spec_print_number(wu_id_make(7, 256 + i), i, &c->specs[i]));
        c->leaves[i] = merkle_leaf(c->specs[i].data, c->specs[i].len);
    }
    s.root = merkle_root(c->leaves, UNITS);
    assert_ok(units_statement_print(&s, &text));
    assert_ok(envelope_make(ENVELOPE_TYPE_UNITS, text.data, text.len, &work, 1, &c->envelope));
    size_t len = merkle_path(c->leaves, UNITS, at, c->path);
    c->proof = (struct unit_proof){.spec = c->specs[at].data,
                                   .spec_len = c->specs[at].len,
                                   .chunk = c->envelope.data,
                                   .chunk_len = c->envelope.len,
                                   .index = at,
                                   .path = c->path,
                                   .path_len = (uint32_t)len,
                                   .unit = wu_id_make(7, 256 + at)};
}

static void free_chunk(struct chunk *c)
{
    for (uint32_t i = 0; i < UNITS; i++)
        buf_done(&c->specs[i]);
    buf_done(&c->envelope);
}

static void a_unit_is_proved_by_its_chunk_and_a_tampered_one_is_not(void **state)
{
    (void)state;
    struct keys k = make_keys();
    struct key_set work = {.count = 1, .threshold = 1, .keys = {k.work_public}};
    struct digest project = sign_key_id(&k.root_public), other = hash_bytes("x", 1), order;
    for (uint32_t at = 0; at < UNITS; at++) {
        struct chunk c;
        struct spec spec;
        ARENA_AUTO struct arena a = {0};
        make_chunk(&k, &c, at);
        assert_ok(unit_verify(&c.proof, &work, &project, &a, &spec, &order));
        assert_int_equal(spec.unit, wu_id_make(7, 256 + at));
        assert_string_equal(spec.vars[0].name, "");
        assert_err(unit_verify(&c.proof, &work, &other, &a, &spec, &order), ERR_UNTRUSTED);
        c.specs[at].data[c.specs[at].len - 16] ^= 1;
        assert_err(unit_verify(&c.proof, &work, &project, &a, &spec, &order), ERR_UNTRUSTED);
        c.specs[at].data[c.specs[at].len - 16] ^= 1;
        c.proof.unit++;
        assert_err(unit_verify(&c.proof, &work, &project, &a, &spec, &order), ERR_UNTRUSTED);
        c.proof.unit--;
        work.keys[0] = k.root_public;
        assert_err(unit_verify(&c.proof, &work, &project, &a, &spec, &order), ERR_UNTRUSTED);
        work.keys[0] = k.work_public;
        free_chunk(&c);
    }
    free_keys(&k);
}

static void a_template_is_filled_once_and_says_what_is_missing(void **state)
{
    (void)state;
    struct variable vars[] = {{"", "7"}, {"lr", "{x}"}};
    BUF_AUTO struct buf out = {0};
    assert_ok(template_fill("a{}b{lr}{{}}", vars, 2, &out));
    assert_string_equal(out.data, "a7b{x}{}");
    assert_err(template_fill("{nothing}", vars, 2, &out), ERR_INVALID);
    assert_non_null(strstr(err_text(), "nothing"));
    assert_err(template_fill("{", vars, 2, &out), ERR_INVALID);
    assert_err(template_fill("}", vars, 2, &out), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_opens_only_with_enough_different_keys_of_the_role),
        cmocka_unit_test(a_changed_byte_of_an_envelope_is_never_accepted),
        cmocka_unit_test(a_root_is_believed_only_from_the_project_key_on),
        cmocka_unit_test(a_new_root_needs_the_old_root_keys_and_no_version_is_skipped_or_taken_back),
        cmocka_unit_test(a_unit_is_proved_by_its_chunk_and_a_tampered_one_is_not),
        cmocka_unit_test(a_template_is_filled_once_and_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
