/* token.h - what a person or program shows to be let in: "dgh_ID_SECRET", PROTOCOL.md section 1. The secret
 * is 256 random bits; whoever checks keeps only its SHA-256. */
#ifndef WIRE_TOKEN_H
#define WIRE_TOKEN_H

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define TOKEN_TEXT_BYTES   80 /* room for any token, terminator included */
#define TOKEN_SECRET_BYTES 32

enum token_kind { TOKEN_HOST, TOKEN_VOLUNTEER, TOKEN_USER, TOKEN_KINDS };

struct token {
    enum token_kind kind;
    uint64_t id;
    struct digest secret; /* SHA-256 of the secret's 32 bytes */
};

/* Text for a secret of 32 bytes; wipe what you do not need any more. */
void token_print(enum token_kind kind, uint64_t id, const uint8_t secret[TOKEN_SECRET_BYTES],
                 char ret_text[TOKEN_TEXT_BYTES]);
/* ERR_AUTH when it is no token; the text is never part of the sentence. */
enum err token_parse(const char *text, struct token *ret) NODISCARD;
/* 43 characters of base64url for 32 bytes, and back. */
void secret_print(const uint8_t secret[TOKEN_SECRET_BYTES], char ret_text[44]);
enum err secret_parse(const char *text, uint8_t ret[TOKEN_SECRET_BYTES]) NODISCARD;

#endif
