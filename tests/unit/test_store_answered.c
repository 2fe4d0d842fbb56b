/* Which unit has the answer to a question, over every database. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "server/store_answered.h"

static struct digest question_of(const char *text)
{
    return hash_bytes(text, strlen(text));
}

static wu_id find(struct world *w, const struct digest *q)
{
    wu_id unit = 77;
    assert_ok(store_answered_find(w->store, q, &unit));
    return unit;
}

static void the_newest_unit_that_answered_is_found_until_it_is_forgotten(void **state)
{
    struct world w;
    struct digest one = question_of("one"), two = question_of("two"), three = question_of("three");
    wu_id old = wu_id_make(3, 9), young = wu_id_make(2000000000, 4000000000u);
    world_open(&w, state);
    store_set_answered(w.set, &one, young);
    store_set_answered(w.set, &one, old);
    store_set_answered(w.set, &two, old);
    world_write(&w);
    store_set_answered(w.set, &one, young); /* told again */
    world_write(&w);
    assert_true(find(&w, &one) == young);
    assert_true(find(&w, &two) == old);
    assert_true(find(&w, &three) == 0);
    store_set_answered_end(w.set, &one, young);
    store_set_answered_end(w.set, &two, old);
    store_set_answered_end(w.set, &three, old); /* was never there */
    world_write(&w);
    assert_true(find(&w, &one) == old);
    assert_true(find(&w, &two) == 0);
    world_close(&w);
}

static void a_batch_keeps_its_question_and_its_retry_rules(void **state)
{
    struct world w;
    struct store_batch back,
        b = {.id = 5,
             .user_id = 1,
             .name = "",
             .app = "a",
             .version = 1,
             .labels = {"{}", 2},
             .policy = {"", 0},
             .request = {"", 0},
             .order = {"{}", 2},
             .needs_features = "",
             .hr_kind = "none",
             .question = question_of("what"),
             .rules = {.quorum = 1,
                       .target_attempts = 1,
                       .attempts_max = 4,
                       .successes_max = 2,
                       .lease_ms = 9,
                       .retry = {[WU_CAUSE_PROGRAM] = {.wait_s = 60, .most = 2, .has_most = true},
                                 [WU_CAUSE_LIMIT] = {.has_most = true},
                                 [WU_CAUSE_WRONG] = {.wait_s = 86400}}}};
    BUF_AUTO struct buf rules = {0};
    world_open(&w, state);
    b.order_digest = question_of("order");
    assert_ok(store_batch_rules_text(&b.rules, &b.trust, &rules));
    store_set_batch_new(w.set, &b, buf_text(&rules), "");
    store_set_batch_live(w.set, &b, true, true);
    world_write(&w);
    assert_ok(store_batch_get(w.store, &w.arena, 5, &back));
    assert_true(digest_eq(&back.question, &b.question));
    for (uint32_t c = 0; c < WU_CAUSES; c++) {
        assert_int_equal(back.rules.retry[c].wait_s, b.rules.retry[c].wait_s);
        assert_int_equal(back.rules.retry[c].most, b.rules.retry[c].most);
        assert_int_equal(back.rules.retry[c].has_most, b.rules.retry[c].has_most);
    }
    assert_int_equal(back.rules.lease_ms, 9);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_unit_that_answered_is_found_until_it_is_forgotten),
        cmocka_unit_test(a_batch_keeps_its_question_and_its_retry_rules),
    };
    return DATABASE_RUN(tests);
}
