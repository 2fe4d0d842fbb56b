/* Two outputs with a zero byte between them, after one byte each for the exponents of abs and rel. Laws: the
 * same is the same; nothing depends on which comes first; a wider tolerance takes back no equality; what
 * differs in its bytes and is no text differs. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "server/judge_numeric.h"

static double tolerance(uint8_t b)
{
    return b == 0 ? 0 : pow(10, (double)(b % 40) - 30);
}

static char *copy(const uint8_t *bytes, size_t len) /* on the heap: a read beyond it is seen */
{
    char *c = malloc(len ? len : 1);
    assert(c);
    if (len)
        memcpy(c, bytes, len);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 3)
        return 0;
    double abs = tolerance(bytes[0]), rel = tolerance(bytes[1]);
    const uint8_t *cut = memchr(bytes + 2, 0, len - 2);
    size_t a_len = cut ? (size_t)(cut - bytes) - 2 : len - 2, b_len = cut ? len - a_len - 3 : 0;
    char *a = copy(bytes + 2, a_len), *b = copy(cut ? cut + 1 : bytes, b_len);
    bool same = judge_numeric_same(a, a_len, b, b_len, abs, rel);
    assert(judge_numeric_same(a, a_len, a, a_len, abs, rel) && judge_numeric_same(b, b_len, b, b_len, 0, 0));
    assert(judge_numeric_same(b, b_len, a, a_len, abs, rel) == same);
    if (same)
        assert(judge_numeric_same(a, a_len, b, b_len, abs * 2 + 1, rel));
    if (same && (a_len != b_len || memcmp(a, b, a_len) != 0))
        assert(str_is_utf8(a, a_len) && str_is_utf8(b, b_len) && !memchr(b, 0, b_len));
    free(a);
    free(b);
    return 0;
}
