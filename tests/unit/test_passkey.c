/* Passkeys: what a browser sends is believed only where every part of it holds. */
#include "lib/t.h"

#include "lib/authenticator.h"
#include "server/challenge.h"

static const struct passkey_site site = {"grid.example", "https://grid.example:8443"};

static struct authenticator fresh(void)
{
    struct authenticator a = {
        .rp_id = site.rp_id, .origin = site.origin, .type = "webauthn.get", .flags = 5, .count = 7};
    assert_ok(sign_key_new(&a.key));
    assert_ok(sign_key_public(a.key, &a.public));
    return a;
}

static struct passkey made_by(const struct authenticator *a)
{
    BUF_AUTO struct buf attestation = {0};
    struct passkey p;
    authenticator_attest(a, &attestation);
    assert_ok(passkey_made(&site, bytes_of(&attestation), &p));
    assert_int_equal(p.id.len, 4);
    assert_memory_equal(p.id.data, "pass", 4);
    p.id = (struct bytes){0};
    return p;
}

static enum err use(const struct authenticator *a, const struct passkey *known, uint32_t *ret_count)
{
    BUF_AUTO struct buf client = {0}, data = {0}, challenge = {0};
    struct signature s;
    authenticator_client(a, "abc", 3, &client);
    authenticator_data(a, false, &data);
    authenticator_sign(a, &client, &data, &s);
    enum err e = passkey_client(&site, "webauthn.get", bytes_of(&client), &challenge);
    if (e == ERR_OK)
        assert_string_equal(buf_text(&challenge), "abc");
    return e != ERR_OK ? e
                       : passkey_check(&site, known, bytes_of(&client), bytes_of(&data),
                                       (struct bytes){s.bytes, sizeof s.bytes}, ret_count);
}

static void a_passkey_that_was_made_here_lets_in_and_its_counter_is_kept(void **state)
{
    struct authenticator a = fresh();
    struct passkey known = made_by(&a);
    uint32_t count = 0;
    (void)state;
    assert_int_equal(known.count, 7);
    assert_int_equal(known.key[0], PASSKEY_EDDSA);
    a.count = 8;
    assert_ok(use(&a, &known, &count));
    assert_int_equal(count, 8);
    known.count = a.count = 0; /* it does not count */
    assert_ok(use(&a, &known, &count));
    sign_key_free(a.key);
}

static void nothing_that_differs_lets_in(void **state)
{
    struct authenticator good = fresh(), other = fresh();
    struct passkey known = made_by(&good);
    uint32_t count = 99;
    (void)state;
    known.count = 3;
    struct authenticator bad[] = {good, good, good, good, good, good, good, good, good, other};
    bad[0].origin = "https://grid.example";
    bad[1].origin = "https://evil.example";
    bad[2].rp_id = "evil.example";
    bad[3].type = "webauthn.create";
    bad[4].flags = 1; /* nobody was verified */
    bad[5].flags = 4; /* nobody was there */
    bad[6].count = 3; /* a copy */
    bad[7].count = 0;
    bad[8].crossed = true;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(use(&bad[i], &known, &count), ERR_DENIED);
    assert_int_equal(count, 99);
    known.key[0] = PASSKEY_ES256;
    assert_err(use(&good, &known, &count), ERR_DENIED);
    sign_key_free(good.key);
    sign_key_free(other.key);
}

static void an_attestation_with_any_byte_cut_off_or_more_makes_none(void **state)
{
    struct authenticator a = fresh();
    BUF_AUTO struct buf attestation = {0};
    struct passkey p;
    (void)state;
    authenticator_attest(&a, &attestation);
    for (size_t len = 0; len < attestation.len; len++)
        assert_true(passkey_made(&site, (struct bytes){(uint8_t *)attestation.data, len}, &p) != ERR_OK);
    assert_ok(buf_add_char(&attestation, 0));
    assert_err(passkey_made(&site, bytes_of(&attestation), &p), ERR_INVALID);
    sign_key_free(a.key);
}

static void keys_of_other_kinds_and_points_off_the_curve_are_refused(void **state)
{
    struct authenticator a = fresh();
    BUF_AUTO struct buf attestation = {0};
    struct passkey p;
    (void)state;
    authenticator_attest(&a, &attestation);
    char *alg = memchr(attestation.data + 29 + 37, 0x27, attestation.len - 29 - 37);
    assert_non_null(alg);
    *alg = 0x26; /* ES256 with an Ed25519 key */
    assert_err(passkey_made(&site, bytes_of(&attestation), &p), ERR_UNSUPPORTED);
    uint8_t point[SIGN_POINT_BYTES] = {1};
    assert_false(sign_point_is_good(point));
    sign_key_free(a.key);
}

static void a_site_has_a_name(void **state)
{
    char host[64], origin[64];
    (void)state;
    assert_ok(passkey_site_of("https://grid.example:8443", host, origin, sizeof host));
    assert_string_equal(host, "grid.example");
    assert_string_equal(origin, "https://grid.example:8443");
    assert_ok(passkey_site_of("https://localhost/x", host, origin, sizeof host));
    assert_string_equal(origin, "https://localhost");
    assert_err(passkey_site_of("https://127.0.0.1:8443", host, origin, sizeof host), ERR_INVALID);
    assert_err(passkey_site_of("https://[::1]:8443", host, origin, sizeof host), ERR_INVALID);
    assert_err(passkey_site_of("http://grid.example", host, origin, sizeof host), ERR_INVALID);
    assert_err(passkey_site_of("", host, origin, sizeof host), ERR_INVALID);
}

static void a_challenge_is_good_once_for_its_user_and_not_for_long(void **state)
{
    struct challenges *mine, *others;
    struct digest key = {{1}}, another = {{2}};
    uint8_t bytes[CHALLENGE_BYTES];
    (void)state;
    assert_ok(challenges_new(&key, &mine));
    assert_ok(challenges_new(&another, &others));
    challenge_make(mine, 3, 1000000, bytes);
    struct buf c = {.data = (char *)bytes, .len = sizeof bytes};
    assert_err(challenge_take(others, &c, 3, 1000000), ERR_DENIED);
    assert_err(challenge_take(mine, &c, 0, 1000000), ERR_DENIED);
    assert_err(challenge_take(mine, &c, 3, 1000000 + CHALLENGE_MS + 1), ERR_DENIED);
    bytes[0] ^= 1;
    assert_err(challenge_take(mine, &c, 3, 1000000), ERR_DENIED);
    bytes[0] ^= 1;
    c.len--;
    assert_err(challenge_take(mine, &c, 3, 1000000), ERR_DENIED);
    c.len++;
    assert_ok(challenge_take(mine, &c, 3, 1000000 + CHALLENGE_MS));
    assert_err(challenge_take(mine, &c, 3, 1000000 + CHALLENGE_MS), ERR_DENIED);
    challenges_free(mine);
    challenges_free(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passkey_that_was_made_here_lets_in_and_its_counter_is_kept),
        cmocka_unit_test(nothing_that_differs_lets_in),
        cmocka_unit_test(an_attestation_with_any_byte_cut_off_or_more_makes_none),
        cmocka_unit_test(keys_of_other_kinds_and_points_off_the_curve_are_refused),
        cmocka_unit_test(a_site_has_a_name),
        cmocka_unit_test(a_challenge_is_good_once_for_its_user_and_not_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
