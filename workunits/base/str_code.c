/* str_code.c - the part of str.h about hexadecimal and base64, both strict: one text for each sequence of
 * bytes. */
#include <string.h>

#include "base/str.h"

/* The two digits of each byte: every digest on the wire is written with them. */
static const char hex_pairs[] = "000102030405060708090a0b0c0d0e0f"
                                "101112131415161718191a1b1c1d1e1f"
                                "202122232425262728292a2b2c2d2e2f"
                                "303132333435363738393a3b3c3d3e3f"
                                "404142434445464748494a4b4c4d4e4f"
                                "505152535455565758595a5b5c5d5e5f"
                                "606162636465666768696a6b6c6d6e6f"
                                "707172737475767778797a7b7c7d7e7f"
                                "808182838485868788898a8b8c8d8e8f"
                                "909192939495969798999a9b9c9d9e9f"
                                "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
                                "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
                                "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
                                "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                                "e0e1e2e3e4e5e6e7e8e9eaebecedeeef"
                                "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

void str_hex(const void *bytes, size_t len, char *ret_text)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i++)
        memcpy(ret_text + 2 * i, hex_pairs + 2 * from[i], 2);
    ret_text[2 * len] = '\0';
}

/* 16 for what is none. Without jumps, which nobody could foretell. */
static unsigned hex_digit(char c)
{
    unsigned digit = (unsigned)(unsigned char)c - '0', letter = (unsigned)(unsigned char)c - 'a';
    return digit < 10 ? digit : letter < 6 ? letter + 10 : 16;
}

enum err str_unhex(const char *text, void *ret_bytes, size_t len)
{
    if (strnlen(text, 2 * len + 1) != 2 * len)
        return err_set(ERR_INVALID, "'%.80s' is not %zu hexadecimal characters", text, 2 * len);
    unsigned all = 0;
    for (size_t i = 0; i < 2 * len; i++)
        all |= hex_digit(text[i]);
    if (all > 15)
        return err_set(ERR_INVALID, "'%.80s' is not lower-case hexadecimal", text);
    uint8_t *to = ret_bytes;
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return ERR_OK;
}

enum err str_base64(const void *bytes, size_t len, struct buf *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    if (len > SIZE_MAX / 2)
        return err_set(ERR_LIMIT, "%zu bytes are too many for base64", len);
    enum err e = buf_reserve(out, (len + 2) / 3 * 4);
    if (e)
        return e;
    char *to = out->data + out->len;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)from[i] << 16 | (have > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                     (have > 2 ? from[i + 2] : 0);
        *to++ = letters[v >> 18];
        *to++ = letters[v >> 12 & 63];
        *to++ = have > 1 ? letters[v >> 6 & 63] : '=';
        *to++ = have > 2 ? letters[v & 63] : '=';
    }
    *to = '\0';
    out->len = (size_t)(to - out->data);
    return ERR_OK;
}

static int base64_letter(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters to `have` bytes; false for a foreign character or set bits that no byte holds. */
static bool unbase64_group(const char *text, size_t have, uint8_t *to)
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int letter = i <= have ? base64_letter(text[i]) : 0;
        if (letter < 0)
            return false;
        v = v << 6 | (uint32_t)letter;
    }
    if (have < 3 && (v & (have == 1 ? 0xffffu : 0xffu)))
        return false;
    to[0] = (uint8_t)(v >> 16);
    if (have > 1)
        to[1] = (uint8_t)(v >> 8);
    if (have > 2)
        to[2] = (uint8_t)v;
    return true;
}

enum err str_unbase64(const char *text, size_t text_len, struct buf *out)
{
    if (text_len % 4)
        return err_set(ERR_INVALID, "base64 text of %zu characters is cut off or lacks its padding",
                       text_len);
    size_t pad = 0;
    if (text_len)
        pad = text[text_len - 1] != '=' ? 0 : text[text_len - 2] != '=' ? 1 : 2;
    enum err e = buf_reserve(out, text_len / 4 * 3);
    if (e)
        return e;
    uint8_t *to = (uint8_t *)out->data + out->len;
    for (size_t i = 0; i < text_len; i += 4) {
        size_t have = i + 4 == text_len ? 3 - pad : 3;
        if (!unbase64_group(text + i, have, to)) {
            out->data[out->len] = '\0';
            return err_set(ERR_INVALID, "base64 text has a wrong character at %zu to %zu", i, i + 3);
        }
        to += have;
    }
    *to = '\0';
    out->len = (size_t)((char *)to - out->data);
    return ERR_OK;
}

enum err str_base64url(const void *bytes, size_t len, struct buf *out)
{
    size_t at = out->len;
    enum err e = str_base64(bytes, len, out);
    if (e)
        return e;
    for (; at < out->len && out->data[at] != '='; at++)
        out->data[at] = out->data[at] == '+' ? '-' : out->data[at] == '/' ? '_' : out->data[at];
    out->len = at;
    if (out->data)
        out->data[at] = '\0';
    return ERR_OK;
}

enum err str_unbase64url(const char *text, size_t text_len, struct buf *out)
{
    BUF_AUTO struct buf plain = {0};
    if (text_len % 4 == 1)
        return err_set(ERR_INVALID, "base64url text of %zu characters is cut off", text_len);
    for (size_t i = 0; i < (text_len + 3) / 4 * 4; i++) {
        char c = i < text_len ? text[i] : '=';
        if (i < text_len && (c == '+' || c == '/' || c == '='))
            return err_set(ERR_INVALID, "base64url text has a wrong character at %zu", i);
        enum err e = buf_add_char(&plain, c == '-' ? '+' : c == '_' ? '/' : c);
        if (e)
            return e;
    }
    return str_unbase64(buf_text(&plain), plain.len, out);
}
