#include "lib/t.h"

#include <string.h>

#include "rules/match.h"

#define GIB (1ull << 30)

static const struct match_need need = {.platforms = 1,
                                       .features = 1 << 8,
                                       .memory_bytes = 2 * GIB,
                                       .disk_bytes = GIB,
                                       .cores = 2,
                                       .hr_class = 5,
                                       .cost_seconds = 100,
                                       .lease_ms = 200000};
static const struct match_offer offer = {.platforms = 3,
                                         .features = 1 << 8 | 1,
                                         .memory_bytes = 2 * GIB,
                                         .disk_bytes = GIB,
                                         .cores = 2,
                                         .hr_class = 5,
                                         .speed = 1,
                                         .queue_ms = 100000};

static void a_unit_that_needs_exactly_what_is_offered_fits(void **state)
{
    (void)state;
    assert_int_equal(match_unit(&need, &offer, false), MATCH_FITS);
}

static void each_shortage_has_its_reason(void **state)
{
    (void)state;
    struct match_offer o = offer;
    o.platforms = 2;
    assert_int_equal(match_unit(&need, &o, false), MATCH_PLATFORM);
    o = offer, o.features = 1;
    assert_int_equal(match_unit(&need, &o, false), MATCH_FEATURES);
    o = offer, o.hr_class = 4;
    assert_int_equal(match_unit(&need, &o, false), MATCH_CLASS);
    assert_int_equal(match_unit(&need, &offer, true), MATCH_OWNER);
    o = offer, o.memory_bytes--;
    assert_int_equal(match_unit(&need, &o, false), MATCH_MEMORY);
    o = offer, o.disk_bytes--;
    assert_int_equal(match_unit(&need, &o, false), MATCH_DISK);
    o = offer, o.cores = 1;
    assert_int_equal(match_unit(&need, &o, false), MATCH_CORES);
    o = offer, o.queue_ms++;
    assert_int_equal(match_unit(&need, &o, false), MATCH_TIME);
    o.speed = 0; /* not known: it may try */
    assert_int_equal(match_unit(&need, &o, false), MATCH_FITS);
}

static void a_feature_nobody_knows_is_had_by_no_host(void **state)
{
    (void)state;
    struct match_need n = need;
    struct match_offer o = offer;
    n.features |= match_feature("quantum");
    o.features |= match_feature("quantum");
    assert_int_equal(match_unit(&n, &o, false), MATCH_FEATURES);
}

static void features_have_names_and_names_have_bits(void **state)
{
    (void)state;
    uint32_t bit = 0;
    for (; match_feature_name(bit); bit++)
        assert_true(match_feature(match_feature_name(bit)) == 1ull << bit);
    assert_in_range(bit, 20, 62);
    assert_true(match_feature("avx2") != MATCH_FEATURE_UNKNOWN);
}

static void the_tally_names_the_main_reason_and_explains_all(void **state)
{
    (void)state;
    struct match_tally t = {0};
    char text[400], small[20];
    match_explain(&t, text, sizeof text);
    assert_string_equal(text, "there is no work at the moment");
    assert_int_equal(match_main_reason(&t), MATCH_FITS);
    match_count(&t, &need, MATCH_FITS);
    match_explain(&t, text, sizeof text);
    assert_string_equal(text, "there is work that suits this host");
    for (uint32_t i = 0; i < 3; i++)
        match_count(&t, &need, MATCH_MEMORY);
    match_count(&t, &need, MATCH_OWNER);
    assert_int_equal(match_main_reason(&t), MATCH_MEMORY);
    match_explain(&t, text, sizeof text);
    assert_non_null(strstr(text, "units that need more memory than this host offers (the smallest 2"));
    assert_non_null(strstr(text, "units that have had an attempt on this host or another of its owner's: 1"));
    match_explain(&t, small, sizeof small);
    assert_int_equal(strlen(small), sizeof small - 1);
}

static void the_words_are_those_of_the_protocol(void **state)
{
    (void)state;
    assert_string_equal(match_reason_word(MATCH_PLATFORM), "no_app_for_platform");
    assert_string_equal(match_reason_word(MATCH_MEMORY), "needs_memory");
    assert_string_equal(match_reason_word(MATCH_DISK), "needs_disk");
    assert_string_equal(match_reason_word(MATCH_FEATURES), "needs_features");
    assert_string_equal(match_reason_word(MATCH_OWNER), "same_owner");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_that_needs_exactly_what_is_offered_fits),
        cmocka_unit_test(each_shortage_has_its_reason),
        cmocka_unit_test(a_feature_nobody_knows_is_had_by_no_host),
        cmocka_unit_test(features_have_names_and_names_have_bits),
        cmocka_unit_test(the_tally_names_the_main_reason_and_explains_all),
        cmocka_unit_test(the_words_are_those_of_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
