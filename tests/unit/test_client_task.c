/* test_client_task.c - what is proved of a unit before it runs: client/task.h */
#include "lib/t.h"

#include <stdio.h>

#include "client/task.h"

struct world {
    struct private_key *key, *other;
    struct trust trust;
    struct digest release;
    struct buf envelope;
};

static const char statement[] = "{\"app\":\"pi\"}";

static struct world make_world(void)
{
    struct world w = {.release = hash_bytes(statement, sizeof statement - 1)};
    struct public_key public;
    assert_ok(sign_key_new(&w.key));
    assert_ok(sign_key_new(&w.other));
    assert_ok(sign_key_public(w.key, &public));
    w.trust.root.release = (struct key_set){.count = 1, .threshold = 1, .keys = {public}};
    const struct private_key *keys[] = {w.key};
    assert_ok(envelope_make(ENVELOPE_TYPE_RELEASE, statement, sizeof statement - 1, keys, 1, &w.envelope));
    return w;
}

static void free_world(struct world *w)
{
    sign_key_free(w->key);
    sign_key_free(w->other);
    buf_done(&w->envelope);
}

static enum err prove(struct world *w, struct task_proofs *proofs, const struct digest *release)
{
    BUF_AUTO struct buf payload = {0};
    enum err e =
        task_prove_release(proofs, &w->trust, release, buf_text(&w->envelope), w->envelope.len, &payload);
    if (e == ERR_OK) {
        assert_int_equal(payload.len, sizeof statement - 1);
        assert_memory_equal(payload.data, statement, payload.len);
    }
    return e;
}

static void a_release_is_proved_once_and_then_known(void **state)
{
    struct world w = make_world();
    struct task_proofs proofs = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_ok(prove(&w, &proofs, &w.release));
        assert_int_equal(proofs.next, 1);
    }
    free_world(&w);
}

static void a_changed_byte_of_a_known_release_is_noticed(void **state)
{
    struct world w = make_world();
    struct task_proofs proofs = {0};
    (void)state;
    assert_ok(prove(&w, &proofs, &w.release));
    for (size_t i = 0; i < w.envelope.len; i++) {
        w.envelope.data[i] ^= 1;
        assert_int_not_equal(prove(&w, &proofs, &w.release), ERR_OK);
        w.envelope.data[i] ^= 1;
    }
    assert_ok(prove(&w, &proofs, &w.release));
    assert_int_equal(proofs.next, 1);
    free_world(&w);
}

static void what_is_known_of_one_release_proves_no_other(void **state)
{
    struct world w = make_world();
    struct task_proofs proofs = {0};
    struct digest another = hash_bytes("another", 7);
    (void)state;
    assert_ok(prove(&w, &proofs, &w.release));
    assert_int_equal(prove(&w, &proofs, &another), ERR_UNTRUSTED);
    free_world(&w);
}

static void a_key_that_is_withdrawn_takes_what_it_proved_with_it(void **state)
{
    struct world w = make_world();
    struct task_proofs proofs = {0};
    struct key_set before = w.trust.root.release;
    (void)state;
    assert_ok(prove(&w, &proofs, &w.release));
    assert_ok(sign_key_public(w.other, &w.trust.root.release.keys[0]));
    assert_int_equal(prove(&w, &proofs, &w.release), ERR_UNTRUSTED);
    w.trust.root.release = before;
    w.trust.root.release.threshold = 2;
    assert_int_equal(prove(&w, &proofs, &w.release), ERR_UNTRUSTED);
    free_world(&w);
}

static void more_releases_than_are_kept_are_proved_all_the_same(void **state)
{
    struct world w = make_world();
    struct task_proofs proofs = {0};
    const struct private_key *keys[] = {w.key};
    (void)state;
    for (int i = 0; i < 5 * TASK_PROOFS_MAX; i++) {
        char text[32];
        BUF_AUTO struct buf envelope = {0}, payload = {0};
        size_t len = (size_t)snprintf(text, sizeof text, "{\"n\":%d}", i);
        struct digest d = hash_bytes(text, len);
        assert_ok(envelope_make(ENVELOPE_TYPE_RELEASE, text, len, keys, 1, &envelope));
        for (int again = 0; again < 2; again++)
            assert_ok(task_prove_release(&proofs, &w.trust, &d, buf_text(&envelope), envelope.len, &payload));
        assert_true(proofs.next < 2 * TASK_PROOFS_MAX);
    }
    free_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_is_proved_once_and_then_known),
        cmocka_unit_test(a_changed_byte_of_a_known_release_is_noticed),
        cmocka_unit_test(what_is_known_of_one_release_proves_no_other),
        cmocka_unit_test(a_key_that_is_withdrawn_takes_what_it_proved_with_it),
        cmocka_unit_test(more_releases_than_are_kept_are_proved_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
