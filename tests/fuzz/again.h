/* again.h - the law of every message: what is understood can be written, is understood again and is then
 * written the same; what is refused gives a sentence. */
#ifndef TESTS_FUZZ_AGAIN_H
#define TESTS_FUZZ_AGAIN_H

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

static inline void again_must(enum err e, const char *what)
{
    if (e != ERR_OK) {
        fprintf(stderr, "%s: %s\n", what, err_text());
        abort();
    }
}

static inline void again_same(const struct buf *a, const struct buf *b)
{
    if (a->len != b->len || memcmp(buf_text(a), buf_text(b), a->len) != 0) {
        fprintf(stderr, "written first: %s\nwritten again: %s\n", buf_text(a), buf_text(b));
        abort();
    }
}

/* For readers that keep what they read in an arena: parse(text, len, arena, &value), print(&value, buf). */
#define AGAIN(type, parse, print, bytes_given, len_given)                                                    \
    do {                                                                                                     \
        ARENA_AUTO struct arena again_a = {0};                                                               \
        BUF_AUTO struct buf again_first = {0}, again_second = {0};                                           \
        type again_value, again_back;                                                                        \
        enum err again_e = parse((const char *)(bytes_given), (len_given), &again_a, &again_value);          \
        if (again_e != ERR_OK) {                                                                             \
            assert(*err_text());                                                                             \
            break;                                                                                           \
        }                                                                                                    \
        again_must(print(&again_value, &again_first), #print);                                               \
        again_must(parse(buf_text(&again_first), again_first.len, &again_a, &again_back), #parse);           \
        again_must(print(&again_back, &again_second), #print);                                               \
        again_same(&again_first, &again_second);                                                             \
    } while (0)

#endif
