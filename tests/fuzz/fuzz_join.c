/* How a host joins, both ways ('q': request, 'r': reply), the join link ('l') and tokens. */
#include "fuzz/again.h"
#include "wire/join_msg.h"
#include "wire/link.h"
#include "wire/token.h"

static void read_link(const char *text)
{
    struct link link, back;
    BUF_AUTO struct buf first = {0}, second = {0};
    if (link_parse(text, &link) != ERR_OK)
        return;
    again_must(link_print(&link, &first), "link_print");
    again_must(link_parse(buf_text(&first), &back), "link_parse");
    again_must(link_print(&back, &second), "link_print");
    again_same(&first, &second);
}

static void read_token(const char *text)
{
    struct token token;
    uint8_t secret[TOKEN_SECRET_BYTES];
    char again[TOKEN_TEXT_BYTES];
    if (token_parse(text, &token) != ERR_OK) {
        assert(strlen(text) < 8 || !strstr(err_text(), text)); /* a secret is never told */
        return;
    }
    again_must(secret_parse(text + strlen(text) - 43, secret), "secret_parse");
    token_print(token.kind, token.id, secret, again);
    struct token back;
    again_must(token_parse(again, &back), "token_parse");
    assert(back.kind == token.kind && back.id == token.id && digest_eq(&back.secret, &token.secret));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char text[1024] = "";
    if (len < 1)
        return 0;
    memcpy(text, bytes + 1, len - 1 < sizeof text ? len - 1 : sizeof text - 1);
    switch (bytes[0]) {
    case 'q':
        AGAIN(struct join_request, join_request_parse, join_request_write, bytes + 1, len - 1);
        break;
    case 'r':
        AGAIN(struct join_reply, join_reply_parse, join_reply_write, bytes + 1, len - 1);
        break;
    case 'l':
        read_link(text);
        break;
    default:
        read_token(text);
    }
    return 0;
}
