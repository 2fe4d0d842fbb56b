#include "lib/t.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/live.h"
#include "server/judge.h"
#include "server/judge_validator.h"
#include "wire/bundle.h"

struct world {
    struct live live;
    struct judge *judge;
    struct digest bundle; /* bin/verdict and bin/same-lines */
};

static void start_judge(struct world *w, int64_t retry_ms, int64_t cpu_ms)
{
    struct judge_config c = {.store = w->live.side,
                             .engine = w->live.thread,
                             .blobs = w->live.blobs,
                             .folder = temp_path(&w->live.temp, "judge"),
                             .retry_ms = retry_ms,
                             .validator_cpu_ms = cpu_ms};
    assert_ok(judge_start(&c, &w->judge));
}

static void stop_judge(struct world *w)
{
    judge_stop(w->judge);
    w->judge = NULL;
}

static void pack_validators(struct world *w)
{
    BUF_AUTO struct buf bytes = {0};
    struct temp *t = &w->live.temp;
    assert_ok(file_make_folders(temp_path(t, "app/bin"), 0755));
    assert_ok(file_copy(TESTS_BUILD_FOLDER "/bin/dugnad-verdict", temp_path(t, "app/bin/verdict"), 0755));
    assert_ok(
        file_copy(TESTS_BUILD_FOLDER "/bin/dugnad-same-lines", temp_path(t, "app/bin/same-lines"), 0755));
    assert_ok(bundle_pack(temp_path(t, "app"), temp_path(t, "bundle")));
    assert_ok(file_read(temp_path(t, "bundle"), 64 << 20, &bytes));
    w->bundle = live_blob(&w->live, bytes.data, bytes.len, "releases");
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    live_open(&w->live);
    pack_validators(w);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    judge_stop(w->judge);
    live_close(&w->live);
    free(w);
    return 0;
}

static struct digest publish(struct world *w, const char *compare, const char *platform)
{
    char *manifest = arena_alloc(&w->live.arena, 600);
    int len = snprintf(manifest, 600,
                       "{\"entry\":[\"bin/app\"],\"outputs\":[{\"path\":\"out\",\"bytes_max\":100000000},"
                       "{\"path\":\"out/in\",\"bytes_max\":100,\"optional\":true}],"
                       "\"compare\":%s}",
                       compare);
    struct engine_request r = {.kind = ENGINE_RELEASE, .user_id = 1};
    struct store_release *n = &r.u.release.release;
    *n = (struct store_release){.app = "app", .platform = platform, .version = 1, .bundle = w->bundle};
    n->digest = hash_bytes(manifest, (size_t)len);
    n->digest.bytes[0] ^= (uint8_t)platform[0];
    n->manifest = (struct text){manifest, (uint32_t)len};
    n->envelope = (struct text){"{}", 2};
    assert_ok(live_ask(&w->live, &r));
    return n->digest;
}

static struct store_batch judged_batch(uint32_t quorum, uint32_t target)
{
    return (struct store_batch){.rules = {.quorum = quorum,
                                          .target_attempts = target,
                                          .errors_max = 3,
                                          .attempts_max = 8,
                                          .successes_max = 6,
                                          .lease_ms = 3600000,
                                          .compare = WU_COMPARE_JUDGE}};
}

static uint32_t submit(struct world *w, uint32_t target, const char *compare)
{
    struct store_batch b = judged_batch(target == 1 ? 1 : 2, target);
    b.release_count = 1;
    b.releases[0] = (struct batch_release){platform_here(), publish(w, compare, platform_here()), w->bundle};
    return live_submit(&w->live, &b);
}

static bool wait_for_attempt(struct world *w, uint32_t batch, uint32_t attempt, enum attempt_state s)
{
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(3)) {
        if (live_unit(&w->live, batch).wu.attempts[attempt].state == s)
            return true;
        judge_wake(w->judge);
    }
    return false;
}

static void assert_attempt(struct world *w, uint32_t batch, uint32_t attempt, enum attempt_state s)
{
    if (!wait_for_attempt(w, batch, attempt, s))
        fail_msg("attempt %u is %s, wanted %s", attempt,
                 attempt_state_name(live_unit(&w->live, batch).wu.attempts[attempt].state),
                 attempt_state_name(s));
}

/* Until the judge has nothing more to do. */
static void settle(struct world *w)
{
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(3)) {
        if (live_outbox(&w->live, OUTBOX_JUDGE, NULL) == 0)
            return;
        judge_wake(w->judge);
    }
    fail_msg("the judge does not come to an end");
}

#define NUMERIC      "{\"kind\":\"numeric\",\"abs\":1e-3,\"rel\":0}"
#define VERDICT(how) "{\"kind\":\"validator\",\"entry\":[\"bin/verdict\",\"" how "\"]}"
#define SAME_LINES   "{\"kind\":\"validator\",\"entry\":[\"bin/same-lines\",\"--comment\",\"#\",\"out\"]}"

/* --- as numbers --- */

static void numbers_within_the_tolerance_make_a_quorum(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, NUMERIC);
    uint32_t a = live_answer(&w->live, "1.0000 eV"), b = live_answer(&w->live, "1.0004 eV");
    assert_attempt(w, batch, a, ATTEMPT_VALID);
    assert_attempt(w, batch, b, ATTEMPT_VALID);
}

static void numbers_outside_the_tolerance_need_a_third_answer(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, NUMERIC);
    uint32_t a = live_answer(&w->live, "2.0"), b = live_answer(&w->live, "2.5");
    judge_wake(w->judge);
    uint32_t c = live_answer(&w->live, "2.5004");
    assert_attempt(w, batch, b, ATTEMPT_VALID);
    assert_attempt(w, batch, c, ATTEMPT_VALID);
    assert_attempt(w, batch, a, ATTEMPT_INVALID);
}

static void a_late_answer_is_held_against_the_canonical_one(void **state)
{
    struct world *w = *state;
    struct engine_attempt near, far;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 4, NUMERIC);
    uint64_t host_near = live_lease(&w->live, &near), host_far = live_lease(&w->live, &far);
    live_answer(&w->live, "1.0000");
    uint32_t b = live_answer(&w->live, "1.0004");
    assert_attempt(w, batch, b, ATTEMPT_VALID);
    live_say(&w->live, host_near, near, "1.0002");
    live_say(&w->live, host_far, far, "1.1");
    assert_attempt(w, batch, near.attempt, ATTEMPT_VALID);
    assert_attempt(w, batch, far.attempt, ATTEMPT_INVALID);
}

/* They are not even read: there is no such blob. */
static void outputs_too_large_for_numbers_must_be_the_same_bytes(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, NUMERIC);
    for (uint64_t i = 0; i < 2; i++) {
        struct engine_attempt at;
        struct text none = {0};
        uint64_t host = live_lease(&w->live, &at);
        struct file_ref file = {"out", hash_bytes(&i, sizeof i), 64u << 20};
        live_report(&w->live, host, at, &file, 1, &none);
    }
    settle(w);
    struct wu wu = live_unit(&w->live, batch).wu;
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(wu.attempt_count, 3);
    assert_int_not_equal(wu.attempts[0].group, wu.attempts[1].group);
}

/* --- by a validator --- */

static void the_stock_validator_leaves_comments_out(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, SAME_LINES);
    uint32_t a = live_answer(&w->live, "# took 1 s\nright\n"), b = live_answer(&w->live, "wrong\n");
    judge_wake(w->judge);
    uint32_t c = live_answer(&w->live, "right\n# took 2 s\n");
    assert_attempt(w, batch, a, ATTEMPT_VALID);
    assert_attempt(w, batch, c, ATTEMPT_VALID);
    assert_attempt(w, batch, b, ATTEMPT_INVALID);
}

static void equal_answers_are_equal_and_nothing_is_run(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, VERDICT("crash"));
    uint32_t a = live_answer(&w->live, "1"), b = live_answer(&w->live, "1");
    assert_attempt(w, batch, a, ATTEMPT_VALID);
    assert_attempt(w, batch, b, ATTEMPT_VALID);
}

static void an_answer_the_validator_cannot_use_is_invalid_wherever_it_stands(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    for (int first = 0; first < 2; first++) {
        uint32_t batch = submit(w, 2, VERDICT("letters"));
        uint32_t bad = 0, good = 0;
        if (first)
            bad = live_answer(&w->live, "?");
        good = live_answer(&w->live, "apple");
        if (!first)
            bad = live_answer(&w->live, "?");
        assert_attempt(w, batch, bad, ATTEMPT_INVALID); /* at once, though nothing is accepted yet */
        uint32_t more = live_answer(&w->live, "axe");
        assert_attempt(w, batch, good, ATTEMPT_VALID);
        assert_attempt(w, batch, more, ATTEMPT_VALID);
    }
}

static void a_broken_validator_fails_the_unit_after_some_tries(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, VERDICT("crash"));
    live_answer(&w->live, "1");
    live_answer(&w->live, "2");
    settle(w);
    assert_int_equal(live_unit(&w->live, batch).wu.failure, WU_FAILURE_JUDGE);
}

static void a_validator_that_denies_the_accepted_answer_costs_nobody_anything(void **state)
{
    struct world *w = *state;
    struct engine_attempt late;
    start_judge(w, 1, 0);
    struct store_batch b = judged_batch(1, 2);
    b.release_count = 1;
    b.releases[0] =
        (struct batch_release){platform_here(), publish(w, VERDICT("letters"), platform_here()), w->bundle};
    uint32_t batch = live_submit(&w->live, &b);
    uint64_t host = live_lease(&w->live, &late);
    uint32_t first = live_answer(&w->live, "?");
    assert_attempt(w, batch, first,
                   ATTEMPT_VALID); /* a quorum of one: there was nothing to compare it with */
    live_say(&w->live, host, late, "apple");
    assert_attempt(w, batch, late.attempt, ATTEMPT_CANCELLED);
    assert_attempt(w, batch, first, ATTEMPT_VALID);
}

static struct judge_answer answer_of(struct world *w, const char *text)
{
    struct file_ref *file = arena_alloc(&w->live.arena, sizeof *file);
    *file = (struct file_ref){"out", live_blob(&w->live, text, strlen(text), "b1"), strlen(text)};
    return (struct judge_answer){.digest = file->sha256, .files = file, .count = 1, .bytes = strlen(text)};
}

static enum err validate(struct world *w, const char *how, enum judge_verdict *ret)
{
    static atomic_bool never;
    const char *entry[] = {"bin/verdict", how};
    struct manifest app = {.compare = COMPARE_VALIDATOR, .validator = entry, .validator_count = 2};
    struct judge_source from = {w->live.reader, w->live.blobs, &w->live.arena, wu_id_make(1, 0), &never};
    struct judge_validator v = {temp_path(&w->live.temp, "bench"), w->live.blobs, 200, 5000};
    struct judge_answer a = answer_of(w, "unusable a"), b = answer_of(w, "unusable b");
    return judge_validate(&v, &from, &app, &w->bundle, &a, &b, ret);
}

static void a_validator_that_breaks_its_contract_gives_no_verdict(void **state)
{
    static const char *const ways[] = {"crash", "spin", "vague", "mute", "flood", "link", "pipe", "exit"};
    struct world *w = *state;
    enum judge_verdict verdict = JUDGE_DIFFERENT;
    assert_ok(validate(w, "letters", &verdict));
    assert_int_equal(verdict, JUDGE_SAME);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (validate(w, ways[i], &verdict) != ERR_INVALID)
            fail_msg("a validator that does \"%s\" is taken (verdict %d) or fails otherwise: %s", ways[i],
                     (int)verdict, err_text());
    assert_false(file_exists(temp_path(&w->live.temp, "bench/work")));
}

static void a_validator_that_loops_is_stopped_with_the_judge_and_judged_after_the_next_start(void **state)
{
    struct world *w = *state;
    struct store_outbox o;
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, VERDICT("spin"));
    live_answer(&w->live, "1");
    live_answer(&w->live, "2");
    judge_wake(w->judge);
    while (!file_exists(temp_path(&w->live.temp, "judge/work/verdict.txt")))
        clock_sleep_ms(1);
    int64_t began_ms = clock_mono_ms();
    stop_judge(w);
    assert_in_range(clock_mono_ms() - began_ms, 0, 2000);
    assert_int_equal(live_unit(&w->live, batch).wu.state, WU_JUDGING);
    assert_int_equal(live_outbox(&w->live, OUTBOX_JUDGE, &o), 1);
    assert_int_equal(o.tries, 0);
    start_judge(w, 1, 50);
    settle(w);
    assert_int_equal(live_unit(&w->live, batch).wu.failure, WU_FAILURE_JUDGE);
}

/* --- what goes wrong around it --- */

static void an_answer_whose_bytes_are_not_there_is_tried_again(void **state)
{
    static const char *const texts[] = {"x", "y"};
    struct world *w = *state;
    struct store_outbox o = {0};
    start_judge(w, 300, 0);
    uint32_t batch = submit(w, 2, SAME_LINES), attempts[2];
    for (int i = 0; i < 2; i++) {
        struct engine_attempt at;
        struct text none = {0};
        char bytes[64];
        snprintf(bytes, sizeof bytes, "same\n#%s", texts[i]);
        uint64_t host = live_lease(&w->live, &at);
        struct file_ref file = {"out", hash_bytes(bytes, strlen(bytes)), strlen(bytes)};
        live_report(&w->live, host, at, &file, 1, &none);
        attempts[i] = at.attempt;
    }
    judge_wake(w->judge);
    while (live_outbox(&w->live, OUTBOX_JUDGE, &o) == 1 && o.tries == 0)
        clock_sleep_ms(1);
    assert_int_equal(live_unit(&w->live, batch).wu.state, WU_JUDGING);
    live_blob(&w->live, "same\n#x", 7, "b1");
    live_blob(&w->live, "same\n#y", 7, "b1");
    assert_attempt(w, batch, attempts[0], ATTEMPT_VALID);
    assert_attempt(w, batch, attempts[1], ATTEMPT_VALID);
}

static void an_answer_that_cannot_be_laid_out_hurts_only_its_host(void **state)
{
    struct world *w = *state;
    struct engine_attempt at;
    struct digest d = hash_bytes("1", 1);
    struct file_ref files[] = {{"out", d, 1}, {"out/in", d, 1}};
    struct text data[] = {{"1", 1}, {"1", 1}};
    start_judge(w, 1, 0);
    uint32_t batch = submit(w, 2, SAME_LINES);
    uint64_t host = live_lease(&w->live, &at);
    live_report(&w->live, host, at, files, 2, data);
    uint32_t a = live_answer(&w->live, "1\n");
    judge_wake(w->judge);
    uint32_t b = live_answer(&w->live, "1\n# two");
    assert_attempt(w, batch, at.attempt, ATTEMPT_INVALID);
    assert_attempt(w, batch, a, ATTEMPT_VALID);
    assert_attempt(w, batch, b, ATTEMPT_VALID);
}

static uint32_t submit_elsewhere_first(struct world *w, uint32_t releases)
{
    struct store_batch b = judged_batch(2, 2);
    b.release_count = releases;
    b.releases[0] =
        (struct batch_release){"m68k-linux", publish(w, VERDICT("crash"), "m68k-linux"), w->bundle};
    if (releases > 1)
        b.releases[1] = (struct batch_release){platform_here(),
                                               publish(w, VERDICT("letters"), platform_here()), w->bundle};
    return live_submit(&w->live, &b);
}

static void the_validator_is_the_one_of_this_platform(void **state)
{
    struct world *w = *state;
    start_judge(w, 1, 0);
    uint32_t batch = submit_elsewhere_first(w, 2);
    uint32_t a = live_answer(&w->live, "apple"), b = live_answer(&w->live, "axe");
    assert_attempt(w, batch, a, ATTEMPT_VALID);
    assert_attempt(w, batch, b, ATTEMPT_VALID);
}

static void what_this_machine_cannot_do_is_never_given_up(void **state)
{
    struct world *w = *state;
    struct store_outbox o = {0};
    uint32_t batch = submit_elsewhere_first(w, 2);
    live_answer(&w->live, "apple");
    live_answer(&w->live, "axe");
    blobs_close(w->live.blobs);
    assert_ok(blobs_open(temp_path(&w->live.temp, "blobs"), UINT64_MAX, &w->live.blobs)); /* a full disk */
    start_judge(w, 1, 0);
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; o.tries < 7 && clock_mono_ms() < end_ms;) {
        judge_wake(w->judge);
        clock_sleep_ms(3);
        assert_int_equal(live_outbox(&w->live, OUTBOX_JUDGE, &o), 1);
    }
    assert_true(o.tries >= 7);
    assert_int_equal(live_unit(&w->live, batch).wu.state, WU_JUDGING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_within_the_tolerance_make_a_quorum, open_world, close_world),
        cmocka_unit_test_setup_teardown(numbers_outside_the_tolerance_need_a_third_answer, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_late_answer_is_held_against_the_canonical_one, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(outputs_too_large_for_numbers_must_be_the_same_bytes, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(the_stock_validator_leaves_comments_out, open_world, close_world),
        cmocka_unit_test_setup_teardown(equal_answers_are_equal_and_nothing_is_run, open_world, close_world),
        cmocka_unit_test_setup_teardown(an_answer_the_validator_cannot_use_is_invalid_wherever_it_stands,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_broken_validator_fails_the_unit_after_some_tries, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_validator_that_denies_the_accepted_answer_costs_nobody_anything,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_validator_that_breaks_its_contract_gives_no_verdict, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(
            a_validator_that_loops_is_stopped_with_the_judge_and_judged_after_the_next_start, open_world,
            close_world),
        cmocka_unit_test_setup_teardown(an_answer_whose_bytes_are_not_there_is_tried_again, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_laid_out_hurts_only_its_host, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(the_validator_is_the_one_of_this_platform, open_world, close_world),
        cmocka_unit_test_setup_teardown(what_this_machine_cannot_do_is_never_given_up, open_world,
                                        close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
