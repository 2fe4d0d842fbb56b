/* test_base_sign.c - Ed25519 keys and signatures. */
#include "lib/temp.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sign.h"
#include "base/str.h"

/* RFC 8032 section 7.1. */
static const struct vector {
    const char *secret, *public, *message, *signature;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f"
     "0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2ea"
     "eb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e"
     "9716ed28dc027beceea1ec40a"},
};

/* The PKCS#8 file of a secret: RFC 8410 section 7. */
static const char *key_file(struct temp *t, const char *secret, mode_t mode)
{
    uint8_t der[48] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    BUF_AUTO struct buf pem = {0};
    assert_ok(str_unhex(secret, der + 16, 32));
    assert_ok(buf_add_text(&pem, "-----BEGIN PRIVATE KEY-----\n"));
    assert_ok(str_base64(der, sizeof der, &pem));
    assert_ok(buf_add_text(&pem, "\n-----END PRIVATE KEY-----\n"));
    return temp_file(t, "key.pem", pem.data, mode);
}

static void keys_and_signatures_are_those_of_rfc_8032(void **state)
{
    (void)state;
    struct temp t = temp_new();
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        struct private_key *key;
        struct public_key public;
        struct signature made;
        uint8_t message[8], wanted[SIGN_SIGNATURE_BYTES], wanted_key[SIGN_KEY_BYTES];
        size_t len = strlen(v->message) / 2;
        assert_ok(str_unhex(v->message, message, len));
        assert_ok(str_unhex(v->signature, wanted, sizeof wanted));
        assert_ok(str_unhex(v->public, wanted_key, sizeof wanted_key));
        assert_ok(sign_key_load(key_file(&t, v->secret, 0600), &key));
        assert_ok(sign_key_public(key, &public));
        assert_memory_equal(public.bytes, wanted_key, sizeof wanted_key);
        assert_ok(sign_make(key, message, len, &made));
        assert_memory_equal(made.bytes, wanted, sizeof wanted);
        assert_true(sign_check(&public, message, len, &made));
        sign_key_free(key);
    }
    temp_done(&t);
}

static void a_signature_is_good_for_nothing_else(void **state)
{
    (void)state;
    struct private_key *key, *other;
    struct public_key public, other_public;
    struct signature sig, bad;
    char text[] = "seven units of work";
    assert_ok(sign_key_new(&key));
    assert_ok(sign_key_new(&other));
    assert_ok(sign_key_public(key, &public));
    assert_ok(sign_key_public(other, &other_public));
    assert_ok(sign_make(key, text, sizeof text, &sig));
    assert_true(sign_check(&public, text, sizeof text, &sig));
    assert_false(sign_check(&other_public, text, sizeof text, &sig));
    assert_false(sign_check(&public, text, sizeof text - 1, &sig));
    for (size_t bit = 0; bit < 8 * SIGN_SIGNATURE_BYTES; bit += 5) {
        bad = sig;
        bad.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(sign_check(&public, text, sizeof text, &bad));
    }
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] ^= 1;
        assert_false(sign_check(&public, text, sizeof text, &sig));
        text[i] ^= 1;
    }
    assert_false(sign_check(&(struct public_key){{0xff}}, text, sizeof text, &sig));
    assert_false(sign_check(&public, text, sizeof text, &(struct signature){{0}}));
    sign_key_free(key);
    sign_key_free(other);
}

/* S and S + L are both solutions of the equation; RFC 8032 wants the small one only, else a signature had two
 * forms. */
static void a_signature_has_one_form(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                      0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    struct public_key public;
    struct signature sig;
    assert_ok(str_unhex(vectors[1].public, public.bytes, 32));
    assert_ok(str_unhex(vectors[1].signature, sig.bytes, 64));
    assert_true(sign_check(&public, "\x72", 1, &sig));
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig.bytes[32 + i] + order[i];
        sig.bytes[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_false(sign_check(&public, "\x72", 1, &sig));
}

static void a_saved_key_is_private_and_loads_again(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct private_key *key, *again;
    struct public_key a, b;
    struct stat st;
    const char *path = temp_path(&t, "new.pem");
    assert_ok(sign_key_new(&key));
    assert_ok(sign_key_save(key, path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(sign_key_load(path, &again));
    assert_ok(sign_key_public(key, &a));
    assert_ok(sign_key_public(again, &b));
    assert_memory_equal(&a, &b, sizeof a);
    sign_key_free(again);
    sign_key_free(key);
    sign_key_free(NULL);
    temp_done(&t);
}

static void saving_never_overwrites_a_key(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct private_key *key;
    BUF_AUTO struct buf b = {0};
    const char *path = temp_file(&t, "old.pem", "precious", 0600);
    assert_ok(sign_key_new(&key));
    assert_err(sign_key_save(key, path), ERR_CONFLICT);
    assert_ok(file_read(path, 100, &b));
    assert_string_equal(b.data, "precious");
    assert_err(sign_key_save(key, temp_path(&t, "no/such/folder.pem")), ERR_MISSING);
    sign_key_free(key);
    temp_done(&t);
}

static void a_key_that_others_may_read_is_refused_with_the_remedy(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct private_key *key = NULL;
    static const mode_t modes[] = {0640, 0604, 0644, 0601, 0620};
    const char *path = key_file(&t, vectors[0].secret, 0600);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_err(sign_key_load(path, &key), ERR_DENIED);
        assert_non_null(strstr(err_text(), "chmod 600"));
    }
    assert_null(key);
    temp_done(&t);
}

static void what_is_not_an_ed25519_key_is_refused_and_leaves_no_error_behind(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct private_key *key = NULL;
    static const char p256[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n"
                               "OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n"
                               "1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n"
                               "-----END PRIVATE KEY-----\n";
    assert_err(sign_key_load(temp_file(&t, "a", "", 0600), &key), ERR_INVALID);
    assert_err(sign_key_load(temp_file(&t, "b", "no key", 0600), &key), ERR_INVALID);
    assert_err(sign_key_load(temp_file(&t, "c", p256, 0600), &key), ERR_INVALID);
    assert_err(sign_key_load(temp_path(&t, "gone"), &key), ERR_MISSING);
    assert_err(sign_key_load(t.folder, &key), ERR_INVALID);
    assert_null(key);
    (void)sign_check(&(struct public_key){{1}}, "", 0, &(struct signature){{1}});
    assert_int_equal(ERR_peek_error(), 0); /* it would be taken for a failure of the thread's next TLS call */
    temp_done(&t);
}

static void the_id_of_a_key_is_the_digest_of_its_bytes(void **state)
{
    (void)state;
    struct public_key key;
    assert_ok(str_unhex(vectors[0].public, key.bytes, 32));
    struct digest id = sign_key_id(&key), wanted = hash_bytes(key.bytes, 32);
    assert_true(digest_eq(&id, &wanted));
}

static void a_signature_of_es256_is_that_of_rfc_6979(void **state)
{
    uint8_t point[SIGN_POINT_BYTES], der[72];
    (void)state;
    assert_ok(str_unhex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
                        point, sizeof point));
    assert_ok(str_unhex("3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                        "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
                        der, sizeof der));
    assert_true(sign_point_is_good(point));
    assert_true(sign_check_p256(point, "sample", 6, der, sizeof der));
    assert_false(sign_check_p256(point, "simple", 6, der, sizeof der));
    assert_false(sign_check_p256(point, "sample", 6, der, sizeof der - 1));
    assert_false(sign_check_p256(point, "sample", 6, der, 0));
    point[63] ^= 1;
    assert_false(sign_point_is_good(point));
    assert_false(sign_check_p256(point, "sample", 6, der, sizeof der));
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_signatures_are_those_of_rfc_8032),
        cmocka_unit_test(a_signature_is_good_for_nothing_else),
        cmocka_unit_test(a_signature_has_one_form),
        cmocka_unit_test(a_saved_key_is_private_and_loads_again),
        cmocka_unit_test(saving_never_overwrites_a_key),
        cmocka_unit_test(a_key_that_others_may_read_is_refused_with_the_remedy),
        cmocka_unit_test(what_is_not_an_ed25519_key_is_refused_and_leaves_no_error_behind),
        cmocka_unit_test(the_id_of_a_key_is_the_digest_of_its_bytes),
        cmocka_unit_test(a_signature_of_es256_is_that_of_rfc_6979),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
