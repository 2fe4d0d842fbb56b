#include "server/hook.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/mail.h"
#include "server/try.h"

/* Of a host as a URL writes it, without its port. A name that a DNS server says is loopback does not count.
 */
static bool is_here(const char *host, size_t len)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr a;
    if ((len == 9 && memcmp(host, "localhost", len) == 0) || (len == 5 && memcmp(host, "[::1]", len) == 0))
        return true;
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(AF_INET, text, &a) == 1 && ntohl(a.s_addr) >> 24 == 127;
}

/* Visible ASCII only, so that nobody reads the URL in another way than this does. */
static bool is_plain(const char *url)
{
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '\\')
            return false;
    return true;
}

static enum err check(const char *url)
{
    if (str_starts(url, HOOK_MAIL))
        return mail_check_address(url + strlen(HOOK_MAIL));
    bool secure = str_starts(url, "https://");
    if (!is_plain(url) || (!secure && !str_starts(url, "http://")))
        return err_set(ERR_INVALID, "policy.webhook is not a URL as https://HOST/PATH or mailto:NAME@HOST");
    const char *at = strstr(url, "://") + 3;
    size_t authority = strcspn(at, "/?#");
    size_t host = *at == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":/?#");
    if (memchr(at, '@', authority))
        return err_set(ERR_INVALID,
                       "policy.webhook names a user before its host: put a secret into the path");
    if (host == 0 || host > authority || (at[host] && !strchr(":/?#", at[host])))
        return err_set(ERR_INVALID, "policy.webhook has no host");
    if (!secure && !is_here(at, host))
        return err_set(ERR_INVALID, "policy.webhook is plain http to another machine: use https");
    return ERR_OK;
}

enum err hook_url(const char *policy, size_t len, char ret[HOOK_URL_BYTES])
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *url;
    ret[0] = '\0';
    if (len == 0)
        return ERR_OK;
    TRY(json_parse(policy, len, JSON_BODY_SMALL_BYTES_MAX, &doc));
    TRY(json_opt_string(json_root(doc), "policy", "webhook", HOOK_URL_BYTES - 1, "", &url));
    if (url[0])
        TRY(check(url));
    snprintf(ret, HOOK_URL_BYTES, "%s", url);
    return ERR_OK;
}
