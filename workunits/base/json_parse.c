/* json_parse.c - from text to a document in one block of memory, see json_in.h.
 *
 * What is read is put on a stack that grows from the start of the block; when a list or an object ends, its
 * members move from there to the block's end, where they stay. Both together never hold more than the values
 * that were counted before. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_in.h"
#include "base/limits.h"
#include "base/str.h"

struct parser {
    const char *start, *at, *end;
    struct json *stack; /* the next free one */
    struct json *kept;  /* the last that was taken from the end */
    char *text;         /* where the next string goes */
    const char *why;    /* it is malformed at `at`; NULL: so far it is not */
};

static bool fail(struct parser *p, const char *why)
{
    if (!p->why)
        p->why = why;
    return false;
}

/* --- what a document would take --- */

/* From behind a quote to behind the one that ends the string. */
static const char *skip_string(const char *at, const char *end)
{
    const char *quote = memchr(at, '"', (size_t)(end - at));
    if (!quote)
        return end;
    if (!memchr(at, '\\', (size_t)(quote - at)))
        return quote + 1;
    for (; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

static void measure(const char *at, size_t len, size_t *ret_depth, size_t *ret_values)
{
    size_t depth = 0, deepest = 0, values = 1;
    const char *end = at + len;
    while (at < end) {
        switch (*at++) {
        case '"':
            at = skip_string(at, end);
            break;
        case '[':
        case '{':
            depth++;
            values++;
            deepest = depth > deepest ? depth : deepest;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
    }
    *ret_depth = deepest;
    *ret_values = values;
}

static enum err within_limits(const char *bytes, size_t len, size_t bytes_max, size_t *ret_values)
{
    size_t depth;
    if (len > bytes_max)
        return err_set(ERR_LIMIT, "JSON of %zu bytes is over the limit of %zu", len, bytes_max);
    if (len == 0)
        return err_set(ERR_INVALID, "JSON is wanted, but there is nothing");
    measure(bytes, len, &depth, ret_values);
    if (depth > JSON_DEPTH_MAX)
        return err_set(ERR_LIMIT, "JSON is nested deeper than %d", JSON_DEPTH_MAX);
    if (*ret_values > JSON_VALUES_MAX)
        return err_set(ERR_LIMIT, "JSON of more than %d values is over the limit", JSON_VALUES_MAX);
    return ERR_OK;
}

/* --- strings --- */

static bool take_hex4(struct parser *p, uint32_t *ret)
{
    uint32_t v = 0;
    if (p->end - p->at < 4)
        return fail(p, "a \\u wants four digits");
    for (int i = 0; i < 4; i++, p->at++) {
        char c = *p->at;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return fail(p, "a \\u wants four digits");
        v = v << 4 | digit;
    }
    *ret = v;
    return true;
}

static void put_utf8(struct parser *p, uint32_t c)
{
    if (c < 0x80) {
        *p->text++ = (char)c;
    } else if (c < 0x800) {
        *p->text++ = (char)(0xc0 | c >> 6);
        *p->text++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *p->text++ = (char)(0xe0 | c >> 12);
        *p->text++ = (char)(0x80 | (c >> 6 & 0x3f));
        *p->text++ = (char)(0x80 | (c & 0x3f));
    } else {
        *p->text++ = (char)(0xf0 | c >> 18);
        *p->text++ = (char)(0x80 | (c >> 12 & 0x3f));
        *p->text++ = (char)(0x80 | (c >> 6 & 0x3f));
        *p->text++ = (char)(0x80 | (c & 0x3f));
    }
}

/* Characters beyond 16 bits come as two halves. */
static bool take_unicode(struct parser *p)
{
    uint32_t c, low;
    if (!take_hex4(p, &c))
        return false;
    if (c == 0)
        return fail(p, "\\u0000 is not allowed");
    if (c >= 0xdc00 && c <= 0xdfff)
        return fail(p, "the second half of a character comes without the first");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u')
            return fail(p, "the first half of a character comes without the second");
        p->at += 2;
        if (!take_hex4(p, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(p, "the first half of a character comes without the second");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(p, c);
    return true;
}

static bool take_escape(struct parser *p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p->at == p->end)
        return fail(p, "the string does not end");
    char c = *p->at++;
    if (c == 'u')
        return take_unicode(p);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) {
        p->at--;
        return fail(p, "an escape that JSON does not have");
    }
    *p->text++ = to[found - from];
    return true;
}

/* Behind the first quote. A string never needs more room than its text had, quotes included. */
static bool take_string(struct parser *p, const char **ret, uint32_t *ret_len)
{
    char *begun = p->text;
    for (;;) {
        size_t left = (size_t)(p->end - p->at), run = json_plain_run(p->at, left);
        memcpy(p->text, p->at, run);
        p->text += run;
        p->at += run;
        if (run == left)
            return fail(p, "the string does not end");
        unsigned char c = (unsigned char)*p->at;
        if (c == '"')
            break;
        if (c == '\\') {
            p->at++;
            if (!take_escape(p))
                return false;
            continue;
        }
        size_t character = c >= 0x80 ? str_utf8_len(p->at, left - run) : 0;
        if (character == 0)
            return fail(p, c < 0x80 ? "a control character in a string" : "this is not UTF-8");
        memcpy(p->text, p->at, character);
        p->text += character;
        p->at += character;
    }
    p->at++;
    *ret = begun;
    *ret_len = (uint32_t)(p->text - begun);
    *p->text++ = 0;
    return true;
}

/* --- numbers and words --- */

static bool is_digit(const struct parser *p)
{
    return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static bool take_digits(struct parser *p)
{
    if (!is_digit(p))
        return fail(p, "a digit is wanted");
    while (is_digit(p))
        p->at++;
    return true;
}

static bool take_real(struct parser *p, const char *begun, struct json *v)
{
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        if (!take_digits(p))
            return false;
    }
    if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        p->at += p->at < p->end && (*p->at == '+' || *p->at == '-');
        if (!take_digits(p))
            return false;
    }
    size_t len = (size_t)(p->at - begun); /* there is room: no string has taken this part of the text */
    memcpy(p->text, begun, len);
    p->text[len] = 0;
    v->kind = JSON_IS_REAL;
    return str_to_double(p->text, &v->as.r) == ERR_OK || fail(p, "the number is too large");
}

static bool take_number(struct parser *p, struct json *v)
{
    const char *begun = p->at;
    uint64_t n = 0;
    bool minus = *p->at == '-', fits = true;
    p->at += minus;
    if (!is_digit(p))
        return fail(p, minus ? "a digit is wanted" : "a value is wanted");
    if (*p->at == '0') {
        p->at++;
        if (is_digit(p))
            return fail(p, "a number does not begin with 0");
    }
    for (; is_digit(p); p->at++)
        fits = fits && !__builtin_mul_overflow(n, 10u, &n) &&
               !__builtin_add_overflow(n, (uint64_t)(*p->at - '0'), &n);
    if (p->at < p->end && (*p->at == '.' || *p->at == 'e' || *p->at == 'E'))
        return take_real(p, begun, v);
    if (!fits || n > (uint64_t)INT64_MAX + minus)
        return fail(p, "the whole number is too large");
    v->kind = JSON_IS_INT;
    v->as.i = minus ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

static bool take_word(struct parser *p, struct json *v)
{
    static const struct word {
        const char *text;
        size_t len;
        enum json_kind kind;
        uint32_t set;
    } words[] = {{"null", 4, JSON_IS_NULL, 0}, {"true", 4, JSON_IS_BOOL, 1}, {"false", 5, JSON_IS_BOOL, 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct word *w = &words[i];
        if ((size_t)(p->end - p->at) < w->len || memcmp(p->at, w->text, w->len) != 0)
            continue;
        p->at += w->len;
        v->kind = w->kind;
        v->count = w->set;
        return true;
    }
    return take_number(p, v);
}

/* --- lists and objects --- */

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

/* Is c next? Blanks before it are skipped. */
static bool take(struct parser *p, char c)
{
    skip_blanks(p);
    if (p->at == p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

static int by_key(const void *x, const void *y, void *members)
{
    const struct json *all = members, *b = &all[*(const uint32_t *)y];
    return json_key_compare(&all[*(const uint32_t *)x], b->key, b->key_len);
}

static bool rank_many(struct parser *p, struct json *members, uint32_t count)
{
    uint32_t *order = malloc(count * sizeof *order);
    bool fine = order != NULL;
    if (!fine)
        return fail(p, "there is no memory for so large an object");
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, by_key, members);
    for (uint32_t i = 0; i < count; i++) {
        members[i].rank = order[i];
        fine = fine && (i == 0 || by_key(&order[i - 1], &order[i], members) != 0);
    }
    free(order);
    return fine;
}

static bool keys_differ(struct parser *p, struct json *members, uint32_t count)
{
    if (count > JSON_FEW)
        return rank_many(p, members, count);
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (json_key_compare(&members[i], members[k].key, members[k].key_len) == 0)
                return false;
    return true;
}

static bool take_value(struct parser *p, const char *key, uint32_t key_len);

static bool take_member(struct parser *p)
{
    const char *key;
    uint32_t len;
    if (!take(p, '"'))
        return fail(p, "a key in quotes is wanted");
    if (!take_string(p, &key, &len))
        return false;
    return take(p, ':') ? take_value(p, key, len) : fail(p, "a colon is wanted");
}

static bool take_members(struct parser *p, char closing)
{
    if (take(p, closing))
        return true;
    do
        if (closing == '}' ? !take_member(p) : !take_value(p, NULL, 0))
            return false;
    while (take(p, ','));
    return take(p, closing) || fail(p, closing == '}' ? "a comma or } is wanted" : "a comma or ] is wanted");
}

static bool take_container(struct parser *p, struct json *v)
{
    struct json *first = p->stack;
    bool object = *p->at++ == '{';
    if (!take_members(p, object ? '}' : ']'))
        return false;
    uint32_t count = (uint32_t)(p->stack - first);
    p->stack = first;
    p->kept -= count;
    memmove(p->kept, first, count * sizeof *first);
    v->kind = object ? JSON_IS_OBJECT : JSON_IS_ARRAY;
    v->as.members = p->kept;
    v->count = count;
    return !object || keys_differ(p, p->kept, count) || fail(p, "a key is there twice");
}

/* Puts one value on the stack. As deep as lists and objects are nested, which was measured before. */
static bool take_value(struct parser *p, const char *key, uint32_t key_len)
{
    struct json v = {.key = key, .key_len = key_len};
    bool fine;
    skip_blanks(p);
    if (p->at == p->end)
        return fail(p, "it ends too early");
    if (*p->at == '{' || *p->at == '[') {
        fine = take_container(p, &v);
    } else if (*p->at == '"') {
        p->at++;
        v.kind = JSON_IS_TEXT;
        fine = take_string(p, &v.as.text, &v.count);
    } else {
        fine = take_word(p, &v);
    }
    if (fine)
        *p->stack++ = v;
    return fine;
}

static bool take_document(struct parser *p)
{
    skip_blanks(p);
    if (p->at == p->end || (*p->at != '{' && *p->at != '['))
        return fail(p, "an object or a list is wanted");
    if (!take_value(p, NULL, 0))
        return false;
    skip_blanks(p);
    return p->at == p->end || fail(p, "something follows the end");
}

static enum err malformed(const struct parser *p)
{
    size_t line = 1, column = 1;
    for (const char *c = p->start; c < p->at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    return err_set(ERR_INVALID, "malformed JSON at line %zu column %zu: %s", line, column, p->why);
}

enum err json_parse(const char *bytes, size_t len, size_t bytes_max, struct json_doc **ret_doc)
{
    size_t values = 0;
    enum err e = within_limits(bytes, len, bytes_max, &values);
    if (e != ERR_OK)
        return e;
    struct json *block = malloc((values + 1) * sizeof *block + len + 1);
    if (!block)
        return err_set(ERR_NOMEM, "no memory to read JSON of %zu bytes", len);
    struct parser p = {.start = bytes,
                       .at = bytes,
                       .end = bytes + len,
                       .stack = block,
                       .kept = block + values + 1,
                       .text = (char *)(block + values + 1)};
    if (!take_document(&p)) {
        free(block);
        return malformed(&p);
    }
    *ret_doc = (struct json_doc *)(void *)block;
    return ERR_OK;
}

void json_free(struct json_doc *doc)
{
    free(doc);
}

const struct json *json_root(const struct json_doc *doc)
{
    return &doc->root;
}
