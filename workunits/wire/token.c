/* token.c - see token.h */
#include "wire/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { SECRET_TEXT_LEN = 43 };

static const char *const prefixes[TOKEN_KINDS] = {"dgh_", "dgv_", "dgu_"};

void secret_print(const uint8_t secret[TOKEN_SECRET_BYTES], char ret_text[44])
{
    BUF_AUTO struct buf text = {0};
    bool made = str_base64url(secret, TOKEN_SECRET_BYTES, &text) == ERR_OK;
    snprintf(ret_text, SECRET_TEXT_LEN + 1, "%s", made ? buf_text(&text) : "");
    if (made)
        explicit_bzero(text.data, text.len);
}

enum err secret_parse(const char *text, uint8_t ret[TOKEN_SECRET_BYTES])
{
    BUF_AUTO struct buf bytes = {0};
    if (!text || strlen(text) != SECRET_TEXT_LEN ||
        str_unbase64url(text, SECRET_TEXT_LEN, &bytes) != ERR_OK || bytes.len != TOKEN_SECRET_BYTES)
        return err_set(ERR_AUTH, "the secret is not 43 characters of base64url");
    memcpy(ret, bytes.data, TOKEN_SECRET_BYTES);
    explicit_bzero(bytes.data, bytes.len);
    return ERR_OK;
}

void token_print(enum token_kind kind, uint64_t id, const uint8_t secret[TOKEN_SECRET_BYTES],
                 char ret_text[TOKEN_TEXT_BYTES])
{
    char text[44];
    secret_print(secret, text);
    snprintf(ret_text, TOKEN_TEXT_BYTES, "%s%" PRIu64 "_%s", prefixes[kind], id, text);
}

enum err token_parse(const char *text, struct token *ret)
{
    uint8_t secret[TOKEN_SECRET_BYTES];
    char number[24];
    for (int kind = 0; text && kind < TOKEN_KINDS; kind++) {
        if (!str_starts(text, prefixes[kind]))
            continue;
        const char *id = text + strlen(prefixes[kind]), *end = strchr(id, '_');
        uint64_t value = 0;
        if (!end || (size_t)(end - id) >= sizeof number)
            break;
        memcpy(number, id, (size_t)(end - id));
        number[end - id] = 0;
        if (str_to_u64(number, INT64_MAX, &value) != ERR_OK || secret_parse(end + 1, secret) != ERR_OK)
            break;
        *ret = (struct token){
            .kind = (enum token_kind)kind, .id = value, .secret = hash_bytes(secret, sizeof secret)};
        return ERR_OK;
    }
    return err_set(ERR_AUTH, "this is not a token: one looks like dgu_1_ and 43 characters");
}
