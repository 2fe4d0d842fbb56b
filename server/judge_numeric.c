#include "server/judge_numeric.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum {
    WORD_MAX = 400
}; /* a longer word is no number: the largest double printed with %f has 316 characters */

struct cursor {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_mark(char c)
{
    return c != '\0' && strchr(",;:=()[]{}\"", c);
}

static bool is_text(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)bytes[i] < ' ' && !is_blank(bytes[i])) || bytes[i] == 0x7f)
            return false;
    return str_is_utf8(bytes, len);
}

/* The next word, or a mark on its own; length 0 at the end. */
static size_t next(struct cursor *c, const char **ret)
{
    while (c->at < c->end && is_blank(*c->at))
        c->at++;
    *ret = c->at;
    if (c->at < c->end && is_mark(*c->at))
        return c->at++, 1;
    while (c->at < c->end && !is_blank(*c->at) && !is_mark(*c->at))
        c->at++;
    return (size_t)(c->at - *ret);
}

static bool is_number(const char *word, size_t len, double *ret)
{
    char text[WORD_MAX + 1], *end;
    if (len > WORD_MAX || memchr(word, '\0', len))
        return false;
    memcpy(text, word, len);
    text[len] = '\0';
    if (strpbrk(text, "xXpP")) /* hexadecimal: only the same text is the same */
        return false;
    *ret = strtod(text, &end);
    bool written_so = strpbrk(text, "iI"); /* "inf": else it is too large for a double */
    return end == text + len && (!isinf(*ret) || written_so);
}

static bool same_word(const char *a, size_t a_len, const char *b, size_t b_len, double abs, double rel)
{
    double x, y;
    if (a_len == b_len && memcmp(a, b, a_len) == 0)
        return true;
    if (!is_number(a, a_len, &x) || !is_number(b, b_len, &y))
        return false;
    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y);
    if (isinf(x) || isinf(y))
        return isinf(x) && isinf(y) && signbit(x) == signbit(y);
    return fabs(x - y) <= abs + rel * fmax(fabs(x), fabs(y));
}

bool judge_numeric_same(const char *a, size_t a_len, const char *b, size_t b_len, double abs, double rel)
{
    assert(abs >= 0 && rel >= 0);
    if (a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0))
        return true;
    if (!is_text(a, a_len) || !is_text(b, b_len))
        return false;
    struct cursor ca = {a, a + a_len}, cb = {b, b + b_len};
    for (;;) {
        const char *wa, *wb;
        size_t na = next(&ca, &wa), nb = next(&cb, &wb);
        if (na == 0 || nb == 0)
            return na == nb;
        if (!same_word(wa, na, wb, nb, abs, rel))
            return false;
    }
}
