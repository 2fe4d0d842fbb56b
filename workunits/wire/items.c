#include "wire/items.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define GOLDEN  0x9E3779B97F4A7C15ull
#define MILLION 1000000u

void audit_text(const struct audit *a, char ret[AUDIT_TEXT_BYTES])
{
    if (a->one)
        snprintf(ret, AUDIT_TEXT_BYTES, "only:%" PRIu64, a->seed);
    else
        snprintf(ret, AUDIT_TEXT_BYTES, "%016" PRIx64 ":%u", a->seed, a->share_ppm);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool read_number(const char **at, const char *end, uint64_t most, uint64_t *ret)
{
    uint64_t n = 0;
    const char *from = *at;
    if (from == end || *from < '0' || *from > '9' ||
        (*from == '0' && from + 1 < end && from[1] >= '0' && from[1] <= '9'))
        return false;
    while (*at < end && **at >= '0' && **at <= '9' && n <= most)
        n = n * 10 + (uint64_t)(*(*at)++ - '0');
    *ret = n;
    return n <= most;
}

static enum err no_audit(const char *text)
{
    return err_set(ERR_INVALID, "\"%.40s\" is no audit: it is SEED:SHARE or only:INDEX", text);
}

enum err audit_parse(const char *text, struct audit *ret)
{
    struct audit a = {0};
    const char *end = text + strlen(text), *at = text;
    uint64_t n = 0;
    if (strncmp(text, "only:", 5) == 0) {
        at += 5;
        if (!read_number(&at, end, ITEMS_MAX - 1, &a.seed) || at != end)
            return no_audit(text);
        a.one = true;
        *ret = a;
        return ERR_OK;
    }
    for (int i = 0; i < 16; i++, at++) {
        if (at == end || !is_hex(*at))
            return no_audit(text);
        a.seed = a.seed << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    }
    if (*at++ != ':' || !read_number(&at, end, MILLION, &n) || at != end || n == 0)
        return no_audit(text);
    a.share_ppm = (uint32_t)n;
    *ret = a;
    return ERR_OK;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

bool audit_wants(const struct audit *a, uint64_t i, uint64_t total)
{
    if (a->one)
        return i == a->seed;
    return mix(a->seed + i * GOLDEN) % MILLION < a->share_ppm || (total > 0 && i == mix(a->seed) % total);
}

enum err items_begin(struct items *list, const char *text, size_t len)
{
    static const char word[] = "items ";
    *list = (struct items){.at = text, .end = text + len};
    if (len < sizeof word || memcmp(text, word, sizeof word - 1) != 0)
        return err_set(ERR_INVALID, "the list of items does not begin with \"items TOTAL\"");
    list->at += sizeof word - 1;
    if (!read_number(&list->at, list->end, ITEMS_MAX, &list->total) || list->at == list->end ||
        *list->at++ != '\n')
        return err_set(ERR_INVALID, "the list of items does not begin with \"items TOTAL\", 0 to %u",
                       ITEMS_MAX);
    return ERR_OK;
}

enum err items_next(struct items *list, bool *ret_any, uint64_t *ret_index, const char **ret_text,
                    size_t *ret_len)
{
    uint64_t index;
    *ret_any = list->at < list->end;
    if (!*ret_any)
        return ERR_OK;
    const char *newline = memchr(list->at, '\n', (size_t)(list->end - list->at));
    if (!newline || !read_number(&list->at, newline, ITEMS_MAX, &index) || *list->at != '\t')
        return err_set(ERR_INVALID, "a line of the list of items is no INDEX, tab, TEXT");
    if (index < list->next || index >= list->total)
        return err_set(ERR_INVALID, "item %" PRIu64 " of %" PRIu64 " is out of order", index, list->total);
    *ret_index = index;
    *ret_text = list->at + 1;
    *ret_len = (size_t)(newline - *ret_text);
    list->next = index + 1;
    list->at = newline + 1;
    return ERR_OK;
}

/* Moves an audit's list to an item; false when it has none. */
static bool seek(struct items *list, uint64_t index, const char **ret_text, size_t *ret_len)
{
    bool any = true;
    uint64_t at = 0;
    while (list->next <= index && any)
        if (items_next(list, &any, &at, ret_text, ret_len) != ERR_OK)
            return false;
    return any && at == index && list->next == index + 1;
}

enum items_verdict items_compare(const struct audit *a, const char *answer, size_t answer_len,
                                 const char *audit, size_t audit_len, uint64_t *ret_index)
{
    struct items x, y;
    bool any, differ = false;
    uint64_t index;
    const char *p, *q = NULL;
    size_t n, m = 0;
    if (items_begin(&x, answer, answer_len) != ERR_OK)
        return ITEMS_UNUSABLE_ANSWER;
    if (items_begin(&y, audit, audit_len) != ERR_OK)
        return ITEMS_UNUSABLE_AUDIT;
    if (x.total != y.total) {
        *ret_index = UINT64_MAX;
        return ITEMS_DIFFERENT;
    }
    for (uint64_t i = 0; i < x.total; i++) {
        if (items_next(&x, &any, &index, &p, &n) != ERR_OK || !any || index != i)
            return ITEMS_UNUSABLE_ANSWER;
        if (!audit_wants(a, i, x.total))
            continue;
        if (!seek(&y, i, &q, &m))
            return ITEMS_UNUSABLE_AUDIT;
        if (!differ && (n != m || memcmp(p, q, n) != 0)) {
            differ = true;
            *ret_index = i;
        }
    }
    if (x.at != x.end)
        return ITEMS_UNUSABLE_ANSWER;
    return differ ? ITEMS_DIFFERENT : ITEMS_SAME;
}
