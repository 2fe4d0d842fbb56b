/* cbor.c - see cbor.h */
#include "server/cbor.h"

#include <string.h>

#include "base/str.h"
#include "server/try.h"

static enum err cut_off(void)
{
    return err_set(ERR_INVALID, "the CBOR is cut off");
}

/* The argument of a head: its low five bits, or the bytes after it, which must be as few as can hold it. */
static enum err read_argument(struct cbor *c, uint8_t low, uint64_t *ret)
{
    static const uint64_t least[] = {24, 1u << 8, 1u << 16, 1ull << 32};
    uint64_t value = 0;
    if (low < 24) {
        *ret = low;
        return ERR_OK;
    }
    if (low > 27)
        return err_set(ERR_INVALID, "the CBOR has an item of indefinite length");
    size_t count = (size_t)1 << (low - 24);
    if ((size_t)(c->end - c->at) < count)
        return cut_off();
    for (size_t i = 0; i < count; i++)
        value = value << 8 | *c->at++;
    if (value < least[low - 24])
        return err_set(ERR_INVALID, "the CBOR has a number that is not in its shortest form");
    *ret = value;
    return ERR_OK;
}

/* Simple values and floats have no shortest form to hold to. */
static enum err read_simple(struct cbor *c, uint8_t low, uint64_t *ret)
{
    size_t count = low < 24 ? 0 : low <= 27 ? (size_t)1 << (low - 24) : 9;
    uint64_t value = low < 24 ? low : 0;
    if (count > 8)
        return err_set(ERR_INVALID, "the CBOR has a break without a beginning");
    if ((size_t)(c->end - c->at) < count)
        return cut_off();
    for (size_t i = 0; i < count; i++)
        value = value << 8 | *c->at++;
    *ret = value;
    return ERR_OK;
}

enum err cbor_next(struct cbor *c, struct cbor_item *ret)
{
    if (c->at == c->end)
        return cut_off();
    uint8_t head = *c->at++;
    *ret = (struct cbor_item){.kind = (enum cbor_kind)(head >> 5)};
    if (ret->kind == CBOR_SIMPLE)
        return read_simple(c, head & 31, &ret->value);
    TRY(read_argument(c, head & 31, &ret->value));
    if (ret->kind != CBOR_BYTES && ret->kind != CBOR_TEXT)
        return ERR_OK;
    if ((uint64_t)(c->end - c->at) < ret->value)
        return cut_off();
    ret->bytes = c->at;
    c->at += ret->value;
    if (ret->kind == CBOR_TEXT && !str_is_utf8((const char *)ret->bytes, (size_t)ret->value))
        return err_set(ERR_INVALID, "the CBOR has a text that is not UTF-8");
    return ERR_OK;
}

/* Each item takes a byte at least, so that a count that lies ends with the bytes. */
enum err cbor_skip(struct cbor *c)
{
    uint64_t left[CBOR_DEPTH_MAX] = {1};
    int depth = 0;
    while (depth >= 0) {
        struct cbor_item item;
        if (left[depth] == 0) {
            depth--;
            continue;
        }
        left[depth]--;
        TRY(cbor_next(c, &item));
        if (item.kind != CBOR_ARRAY && item.kind != CBOR_MAP && item.kind != CBOR_TAG)
            continue;
        if (++depth == CBOR_DEPTH_MAX)
            return err_set(ERR_LIMIT, "the CBOR is nested deeper than %d", CBOR_DEPTH_MAX);
        uint64_t items = item.kind == CBOR_TAG ? 1 : item.value;
        if (items > (uint64_t)(c->end - c->at))
            return cut_off();
        left[depth] = item.kind == CBOR_MAP ? items * 2 : items;
    }
    return ERR_OK;
}

bool cbor_is_text(const struct cbor_item *i, const char *text)
{
    return i->kind == CBOR_TEXT && i->value == strlen(text) && memcmp(i->bytes, text, strlen(text)) == 0;
}

bool cbor_is_int(const struct cbor_item *i, int64_t value)
{
    return value >= 0 ? i->kind == CBOR_UNSIGNED && i->value == (uint64_t)value
                      : i->kind == CBOR_NEGATIVE && i->value == (uint64_t)(-1 - value);
}
