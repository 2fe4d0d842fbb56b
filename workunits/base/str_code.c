/* str_code.c - the part of str.h about names, paths, UTF-8, hexadecimal and base64. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool str_is_name(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > NAME_BYTES_MAX || !is_name_char(text[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!is_name_char(text[i]) && !strchr("._-", text[i]))
            return false;
    return true;
}

static bool is_safe_part(const char *part, size_t len)
{
    return len > 0 && !(len == 1 && part[0] == '.') && !(len == 2 && part[0] == '.' && part[1] == '.');
}

bool str_is_safe_path(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > PATH_BYTES_MAX || !str_is_utf8(text, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f || text[i] == '\\')
            return false;
    for (const char *part = text;;) {
        size_t part_len = strcspn(part, "/");
        if (!is_safe_part(part, part_len))
            return false;
        if (part[part_len] == 0)
            return true;
        part += part_len + 1;
    }
}

/* Bytes of the well-formed sequence at p (Unicode 15, table 3-7), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
               : (p[0] & 0xf0) == 0xe0        ? 3
               : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool str_is_utf8(const char *bytes, size_t len)
{
    const unsigned char *p = (const unsigned char *)bytes;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence(p + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

void str_hex(const void *bytes, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[p[i] >> 4];
        ret_text[2 * i + 1] = digits[p[i] & 15];
    }
    ret_text[2 * len] = 0;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err str_unhex(const char *text, void *ret_bytes, size_t len)
{
    unsigned char *out = ret_bytes;
    size_t i = 0;
    for (; i < len && text[2 * i] && text[2 * i + 1]; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            break;
        out[i] = (unsigned char)(high << 4 | low);
    }
    if (i != len || text[2 * len] != 0)
        return err_set(ERR_INVALID, "%zu lower-case hexadecimal characters are wanted", 2 * len);
    return ERR_OK;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum err str_base64(const void *bytes, size_t len, struct buf *out)
{
    const unsigned char *p = bytes;
    enum err e = buf_reserve(out, (len + 2) / 3 * 4);
    if (e != ERR_OK)
        return e;
    char *to = out->data + out->len;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t v =
            (uint32_t)p[i] << 16 | (have > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0u);
        *to++ = base64_digits[v >> 18];
        *to++ = base64_digits[v >> 12 & 63];
        *to++ = have > 1 ? base64_digits[v >> 6 & 63] : '=';
        *to++ = have > 2 ? base64_digits[v & 63] : '=';
    }
    out->len = (size_t)(to - out->data);
    *to = 0;
    return ERR_OK;
}

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Decodes four characters of which the last `pad` are '='; strict: the unused bits must be zero. */
static bool unbase64_group(const char *text, size_t pad, unsigned char ret[3])
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i < 4 - pad ? base64_value(text[i]) : 0;
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
    }
    ret[0] = (unsigned char)(v >> 16);
    ret[1] = (unsigned char)(v >> 8);
    ret[2] = (unsigned char)v;
    return pad == 0 || (pad == 1 && ret[2] == 0) || (pad == 2 && ret[1] == 0 && ret[2] == 0);
}

enum err str_unbase64(const char *text, size_t text_len, struct buf *out)
{
    size_t pad = 0, was = out->len;
    enum err e = buf_reserve(out, text_len / 4 * 3);
    if (e != ERR_OK)
        return e;
    while (pad < 2 && pad < text_len && text[text_len - 1 - pad] == '=')
        pad++;
    bool good = text_len % 4 == 0;
    for (size_t i = 0; good && i < text_len; i += 4) {
        unsigned char group[3];
        size_t group_pad = i + 4 == text_len ? pad : 0;
        good = unbase64_group(text + i, group_pad, group);
        if (good)
            good = buf_add(out, group, 3 - group_pad) == ERR_OK;
    }
    if (!good) {
        out->len = was;
        if (out->data)
            out->data[was] = 0;
        return err_set(ERR_INVALID, "text is not base64 (RFC 4648, with padding)");
    }
    return ERR_OK;
}
