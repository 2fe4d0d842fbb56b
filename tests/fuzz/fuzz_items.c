/* An audit's text, a zero byte, an answer's list, a zero byte, an auditor's list. Laws: what reads as an
 * audit prints as the same; a whole list agrees with itself under every audit; the verdict on an unusable
 * list does not depend on the other one. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/items.h"

static bool is_whole(const char *text, size_t len)
{
    struct items list;
    bool any = true;
    uint64_t index, n = 0;
    const char *item;
    size_t item_len;
    if (items_begin(&list, text, len) != ERR_OK || list.total > 1000)
        return false;
    while (items_next(&list, &any, &index, &item, &item_len) == ERR_OK && any)
        assert(item >= text && item + item_len <= text + len && index >= n++);
    return !any && n == list.total;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char text[64] = "", again[AUDIT_TEXT_BYTES];
    struct audit audit = {.seed = 7, .share_ppm = 300000}, same;
    const uint8_t *cut = memchr(bytes, 0, len);
    if (!cut)
        return 0;
    memcpy(text, bytes, (size_t)(cut - bytes) < sizeof text - 1 ? (size_t)(cut - bytes) : sizeof text - 1);
    if (audit_parse(text, &audit) == ERR_OK) {
        audit_text(&audit, again);
        assert(audit_parse(again, &same) == ERR_OK && same.seed == audit.seed &&
               same.share_ppm == audit.share_ppm);
    }
    const uint8_t *from = cut + 1, *end = bytes + len, *second = memchr(from, 0, (size_t)(end - from));
    size_t a_len = (size_t)((second ? second : end) - from), b_len = second ? (size_t)(end - second) - 1 : 0;
    char *a = malloc(a_len + 1), *b = malloc(b_len + 1);
    assert(a && b);
    memcpy(a, from, a_len);
    memcpy(b, second ? second + 1 : end, b_len);
    uint64_t index;
    if (is_whole(a, a_len))
        assert(items_compare(&audit, a, a_len, a, a_len, &index) == ITEMS_SAME);
    enum items_verdict v = items_compare(&audit, a, a_len, b, b_len, &index);
    if (is_whole(a, a_len))
        assert(v != ITEMS_UNUSABLE_ANSWER);
    free(a);
    free(b);
    return 0;
}
