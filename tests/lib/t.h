/* t.h - cmocka, with the four headers it wants before it. */
#ifndef TESTS_LIB_T_H
#define TESTS_LIB_T_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/err.h"

/* Fails the test with the sentence when e is not ERR_OK. */
#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        enum err assert_ok_err = (call);                                                                     \
        if (assert_ok_err != ERR_OK)                                                                         \
            fail_msg("%s: %s: %s", #call, err_word(assert_ok_err), err_text());                              \
    } while (0)
#define assert_err(call, expected)                                                                           \
    do {                                                                                                     \
        enum err assert_err_err = (call);                                                                    \
        if (assert_err_err != (expected))                                                                    \
            fail_msg("%s: got %s (%s), wanted %s", #call, err_word(assert_err_err), err_text(),              \
                     err_word(expected));                                                                    \
    } while (0)

#endif
