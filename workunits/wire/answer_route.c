#include "wire/answer_route.h"

#include <string.h>

#include "base/str.h"

static enum err read_line(const char *at, size_t len, struct answer_route *ret)
{
    const char *tab = memchr(at, '\t', len);
    size_t name = tab ? (size_t)(tab - at) : len;
    ret->text = tab ? tab + 1 : at + len;
    ret->len = (uint32_t)(tab ? len - name - 1 : 0);
    if (name < sizeof ret->stream) {
        memcpy(ret->stream, at, name);
        ret->stream[name] = '\0';
    }
    if (name >= sizeof ret->stream || strlen(ret->stream) != name || !str_is_name(ret->stream))
        return err_set(ERR_INVALID, "\"%.*s\" is no name of a stream", (int)(name < 80 ? name : 80), at);
    if (ret->len > RECORD_BYTES_MAX)
        return err_set(ERR_LIMIT, "a record has at most %u bytes", RECORD_BYTES_MAX);
    if (!str_is_utf8(ret->text, ret->len) || memchr(ret->text, '\0', ret->len))
        return err_set(ERR_INVALID, "its text is not UTF-8");
    return ERR_OK;
}

enum err answer_routes_each(const char *file, size_t len,
                            enum err (*take)(void *ctx, const struct answer_route *route), void *ctx)
{
    const char *at = file, *end = file + len;
    for (uint32_t n = 1; at < end; n++) {
        struct answer_route route;
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t line = (size_t)((newline ? newline : end) - at);
        if (n > ANSWER_ROUTES_MAX)
            return err_set(ERR_LIMIT, ANSWER_ROUTES_PATH " has more than %d lines", ANSWER_ROUTES_MAX);
        enum err e = line > 0 ? read_line(at, line, &route) : ERR_OK;
        if (e != ERR_OK)
            return err_prefix(e, ANSWER_ROUTES_PATH ", line %u", n);
        if (line > 0 && (e = take(ctx, &route)) != ERR_OK)
            return e;
        at += line + (newline ? 1 : 0);
    }
    return ERR_OK;
}
