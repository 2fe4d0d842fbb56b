/* link.c - see link.h */
#include "wire/link.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char join_path[] = "/join";

static enum err bad(const char *text, const char *why)
{
    return err_set(ERR_INVALID,
                   "'%.120s' is not a join link: %s; one looks like https://grid.example.org:8443/join#k=...",
                   text, why);
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static enum err fragment_parse(const char *text, const char *fragment, struct link *link)
{
    bool key = false;
    for (const char *at = fragment; *at;) {
        size_t len = strcspn(at, "&");
        char value[128];
        if (len < 3 || at[1] != '=' || len - 2 >= sizeof value)
            return bad(text, "what stands after # must be k=PROJECT_KEY and perhaps i=INVITATION");
        memcpy(value, at + 2, len - 2);
        value[len - 2] = 0;
        if (*at == 'k' && digest_parse(value, &link->project_key) == ERR_OK)
            key = true;
        else if (*at == 'i' && len - 2 <= INVITATION_BYTES_MAX && is_plain(value))
            snprintf(link->invitation, sizeof link->invitation, "%.64s", value);
        else
            return bad(text, *at == 'i' ? "the invitation is malformed"
                                        : "the project key must be 64 hexadecimal characters");
        at += len + (at[len] == '&');
    }
    return key ? ERR_OK : bad(text, "the project key (k=) is missing, was the link cut off at #?");
}

enum err link_parse(const char *text, struct link *ret)
{
    struct link link = {0};
    const char *hash = text ? strchr(text, '#') : NULL;
    if (!text || !str_starts(text, "https://"))
        return bad(text ? text : "", "it must start with https://");
    if (!hash)
        return bad(text, "the part from # on is missing");
    size_t len = (size_t)(hash - text);
    if (len >= sizeof link.url)
        return bad(text, "it is too long");
    memcpy(link.url, text, len);
    if (str_ends(link.url, join_path))
        link.url[len - strlen(join_path)] = 0;
    if (strlen(link.url) + strlen(join_path) >= sizeof link.url)
        return bad(text, "it is too long");
    if (!is_plain(link.url) || strpbrk(link.url, "\"'<>\\@?&") || strlen(link.url) <= strlen("https://"))
        return bad(text, "the address is malformed");
    enum err e = fragment_parse(text, hash + 1, &link);
    if (e == ERR_OK)
        *ret = link;
    return e;
}

enum err link_print(const struct link *link, struct buf *out)
{
    char key[DIGEST_TEXT_BYTES];
    digest_text(&link->project_key, key);
    return buf_printf(out, "%s%s#k=%s%s%s", link->url, join_path, key, *link->invitation ? "&i=" : "",
                      link->invitation);
}
