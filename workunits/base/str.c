/* str.c - see str.h: comparing, and what names, paths and UTF-8 look like. Numbers, times and encodings are
 * in str_*.c. */
#include "base/str.h"

#include <string.h>

#include "base/limits.h"

bool str_eq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text), tail = strlen(suffix);
    return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}

/* How many letters to put in, take out, change or swap with the next one (optimal string alignment). */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *str_nearest(const char *word, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t len = strlen(word), nearest = len < 4 ? 2 : len / 3 + 2; /* further away it is another word */
    for (size_t i = 0; i < count && len <= NAME_BYTES_MAX; i++) {
        size_t words_len = strlen(words[i]);
        size_t away = words_len <= NAME_BYTES_MAX ? distance(word, len, words[i], words_len) : nearest;
        if (away < nearest) {
            nearest = away;
            best = words[i];
        }
    }
    return best;
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool str_is_name(const char *text)
{
    if (!text || !is_name_start(*text))
        return false;
    size_t len = 1;
    for (; text[len]; len++)
        if (len >= NAME_BYTES_MAX || !(is_name_start(text[len]) || strchr("._-", text[len])))
            return false;
    return true;
}

static bool is_safe_part(const char *part, size_t len)
{
    return !(len == 0 || (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'));
}

/* ASCII controls, and the second set U+0080..U+009F, which terminals obey too. */
static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i], next = (unsigned char)text[i + 1];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f))
            return true;
    }
    return false;
}

bool str_is_safe_path(const char *text)
{
    if (!text)
        return false;
    size_t len = strnlen(text, PATH_BYTES_MAX + 1);
    if (len > PATH_BYTES_MAX || !str_is_utf8(text, len) || has_control(text, len) || strchr(text, '\\'))
        return false;
    for (const char *part = text;;) {
        size_t part_len = strcspn(part, "/");
        if (!is_safe_part(part, part_len))
            return false;
        if (part[part_len] == '\0')
            return true;
        part += part_len + 1;
    }
}

/* The length of the UTF-8 character at `at`, 0 where there is none (Unicode 15, table 3-7). */
size_t str_utf8_len(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    if (len == 0 || at[0] < 0x80)
        return len ? 1 : 0;
    unsigned char low = 0x80, high = 0xbf;
    size_t need = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || need > len)
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0; /* shorter forms exist */
    if (at[0] == 0xed)
        high = 0x9f; /* surrogates */
    if (at[0] == 0xf0)
        low = 0x90;
    if (at[0] == 0xf4)
        high = 0x8f; /* over U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

bool str_is_utf8(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint64_t eight;
        if (len - i >= sizeof eight) {
            memcpy(&eight, bytes + i, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        size_t n = str_utf8_len(bytes + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}
