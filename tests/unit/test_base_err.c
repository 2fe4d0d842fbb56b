/* test_base_err.c - codes, words and sentences. */
#include "lib/t.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

static void each_code_has_a_word_of_its_own_that_leads_back_to_it(void **state)
{
    (void)state;
    for (unsigned e = 0; e < ERR_COUNT; e++) {
        assert_int_equal(err_from_word(err_word((enum err)e)), e);
        assert_in_range(err_http((enum err)e), e ? 400 : 200, 599);
        assert_true(e == ERR_OK ? err_exit(ERR_OK) == 0 : err_exit((enum err)e) > 0);
    }
    assert_int_equal(err_from_word("no such word"), ERR_IO);
    assert_int_equal(err_from_word(""), ERR_IO);
    assert_int_equal(err_from_word(NULL), ERR_IO);
}

static void the_statuses_on_the_wire_are_those_of_the_protocol(void **state)
{
    (void)state;
    assert_int_equal(err_http(ERR_INVALID), 400);
    assert_int_equal(err_http(ERR_AUTH), 401);
    assert_int_equal(err_http(ERR_UNTRUSTED), 403);
    assert_int_equal(err_http(ERR_MISSING), 404);
    assert_int_equal(err_http(ERR_STALE), 409);
    assert_int_equal(err_http(ERR_LIMIT), 413);
    assert_int_equal(err_http(ERR_RATE), 429);
    assert_int_equal(err_http(ERR_BUSY), 503);
    assert_int_equal(err_http(ERR_FULL), 507);
    assert_true(err_retry(ERR_BUSY) && err_retry(ERR_RATE) && err_retry(ERR_UNREACHABLE));
    assert_false(err_retry(ERR_INVALID) || err_retry(ERR_STALE) || err_retry(ERR_OK));
}

static void a_sentence_may_quote_the_one_before_it(void **state)
{
    (void)state;
    assert_int_equal(err_set(ERR_INVALID, "%s", "the inner"), ERR_INVALID);
    assert_int_equal(err_set(ERR_STALE, "outer (%s)", err_text()), ERR_STALE);
    assert_string_equal(err_text(), "outer (the inner)");
    assert_int_equal(err_prefix(ERR_STALE, "%s line %d", err_text(), 7), ERR_STALE);
    assert_string_equal(err_text(), "outer (the inner) line 7: outer (the inner)");
}

static void an_errno_is_told_and_full_disks_and_missing_files_get_their_codes(void **state)
{
    (void)state;
    errno = ENOENT;
    assert_int_equal(err_set_errno(ERR_IO, "cannot open %s", "x"), ERR_MISSING);
    assert_string_equal(err_text(), "cannot open x: No such file or directory");
    errno = ENOENT;
    assert_int_equal(err_set_errno(ERR_UNSUPPORTED, "x"), ERR_UNSUPPORTED);
    errno = ENOSPC;
    assert_int_equal(err_set_errno(ERR_IO, "x"), ERR_FULL);
    errno = EDQUOT;
    assert_int_equal(err_set_errno(ERR_IO, "x"), ERR_FULL);
    errno = ENOMEM;
    assert_int_equal(err_set_errno(ERR_IO, "x"), ERR_NOMEM);
    errno = EACCES;
    assert_int_equal(err_set_errno(ERR_IO, "x"), ERR_IO);
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
    (void)state;
    char text[2 * ERR_TEXT_BYTES_MAX + 2];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x8c\x8d", 5);
        (void)err_set(ERR_INVALID, "%s", text);
        assert_in_range(strlen(err_text()), ERR_TEXT_BYTES_MAX - 5, ERR_TEXT_BYTES_MAX - 1);
        assert_true(str_is_utf8(err_text(), strlen(err_text())));
        (void)err_prefix(ERR_INVALID, "%s", text);
        assert_true(str_is_utf8(err_text(), strlen(err_text())));
    }
    memset(text, 0x80, sizeof text - 1); /* not UTF-8 at all: cut anywhere, but cut */
    text[sizeof text - 1] = 0;
    (void)err_set(ERR_INVALID, "%s", text);
    assert_in_range(strlen(err_text()), 1, ERR_TEXT_BYTES_MAX - 1);
}

static void *fail_elsewhere(void *ret_text)
{
    int n = snprintf(ret_text, 64, "<%s>", err_text());
    (void)err_set(ERR_BUSY, "of the other thread");
    snprintf((char *)ret_text + n, 64 - (size_t)n, "%s", err_text());
    return NULL;
}

static void each_thread_has_its_own_sentence(void **state)
{
    (void)state;
    char text[64] = "";
    pthread_t thread;
    (void)err_set(ERR_INVALID, "of this thread");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, text), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(text, "<>of the other thread");
    assert_string_equal(err_text(), "of this thread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_a_word_of_its_own_that_leads_back_to_it),
        cmocka_unit_test(the_statuses_on_the_wire_are_those_of_the_protocol),
        cmocka_unit_test(a_sentence_may_quote_the_one_before_it),
        cmocka_unit_test(an_errno_is_told_and_full_disks_and_missing_files_get_their_codes),
        cmocka_unit_test(a_long_sentence_is_cut_between_characters),
        cmocka_unit_test(each_thread_has_its_own_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
