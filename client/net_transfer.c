/* net_transfer.c - one request: what is sent, where the reply goes, and what its end means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "client/net_in.h"
#include "wire/error_msg.h"
#include "wire/parts.h"

enum {
    CONNECT_MS = 30000, /* until a connection stands, TLS included */
    STALL_S = 60,       /* without a byte moving */
    KEEPALIVE_S = 15,
    RETRY_AFTER_S_MAX = 7 * 86400
};
#define REPLY_BYTES_DEFAULT (8u << 20)

void transfer_free(struct transfer *t)
{
    if (t->net->multi)
        curl_multi_remove_handle(t->net->multi, t->curl);
    curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->headers);
    free(t);
}

static size_t fail(struct transfer *t, enum err e)
{
    t->err = e;
    snprintf(t->problem, sizeof t->problem, "%s", err_text());
    return 0;
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    const struct net_request *r = &t->request;
    uint64_t left = r->body_bytes - t->sent;
    size_t want = size * count < left ? size * count : (size_t)left;
    if (r->has_body_fd) {
        ssize_t got = pread(r->body_fd, to, want, (off_t)(r->body_offset + t->sent));
        if (got < 0 || (got == 0 && want > 0)) {
            fail(t, got < 0 ? err_set_errno(ERR_IO, "cannot read the file to send")
                            : err_set(ERR_CORRUPT, "the file to send became shorter"));
            return CURL_READFUNC_ABORT;
        }
        want = (size_t)got;
    } else if (want > 0) {
        memcpy(to, r->body + t->sent, want);
    }
    t->sent += want;
    t->net->moved_bytes += want;
    return want;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *t = ctx;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->request.body_bytes)
        return CURL_SEEKFUNC_FAIL;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* A server that ignores the range sends the whole: the file starts anew. */
static enum err start_file(struct transfer *t, long status)
{
    t->started_file = true;
    t->file_at = status == 206 ? t->request.range_from : 0;
    if (status != 206 && ftruncate(t->request.reply_fd, 0) != 0)
        return err_set_errno(ERR_IO, "cannot empty the file to write");
    return ERR_OK;
}

static enum err write_file(struct transfer *t, const char *bytes, size_t len, long status)
{
    enum err e = t->started_file ? ERR_OK : start_file(t, status);
    while (e == ERR_OK && len > 0) {
        ssize_t put = pwrite(t->request.reply_fd, bytes, len, (off_t)t->file_at);
        if (put < 0)
            return err_set_errno(ERR_IO, "cannot write what was fetched");
        bytes += put;
        len -= (size_t)put;
        t->file_at += (uint64_t)put;
    }
    return e;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    const struct net_request *r = &t->request;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    bool good = status >= 200 && status <= 299;
    if (!good) { /* an error's JSON is short; what is longer comes from something in between */
        size_t room = JSON_BODY_SMALL_BYTES_MAX - t->reply.body.len;
        enum err e = buf_add(&t->reply.body, bytes, len < room ? len : room);
        return e == ERR_OK ? len : fail(t, e);
    }
    uint64_t most = r->reply_bytes_max ? r->reply_bytes_max
                    : r->has_reply_fd  ? BLOB_BYTES_MAX
                                       : REPLY_BYTES_DEFAULT;
    if (t->reply.received_bytes + len > most)
        return fail(t, err_set(ERR_LIMIT, "the reply is larger than the %llu bytes it may have",
                               (unsigned long long)most));
    t->reply.received_bytes += len;
    t->net->moved_bytes += len;
    enum err e = r->has_reply_fd ? write_file(t, bytes, len, status) : buf_add(&t->reply.body, bytes, len);
    return e == ERR_OK ? len : fail(t, e);
}

/* The number in "name: 12"; unchanged when it is another header or no number. */
static void take_number(const char *line, size_t len, const char *name, uint64_t max, int64_t unit,
                        int64_t *ret)
{
    char text[24];
    size_t at = strlen(name);
    uint64_t value;
    if (len < at || strncasecmp(line, name, at) != 0)
        return;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    while (len > at && strchr("\r\n \t", line[len - 1]))
        len--;
    if (len - at >= sizeof text)
        return;
    memcpy(text, line + at, len - at);
    text[len - at] = 0;
    if (str_to_u64(text, INT64_MAX / 1000, &value) == ERR_OK)
        *ret = (int64_t)(value < max ? value : max) * unit;
}

/* The address in "Location: ..."; too long a one is none. */
static void take_link(struct transfer *t, const char *line, size_t len)
{
    static const char name[] = "location:";
    size_t at = sizeof name - 1;
    if (!t->request.follow || t->way != NET_ASKED || len < at || strncasecmp(line, name, at) != 0)
        return;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    while (len > at && strchr("\r\n \t", line[len - 1]))
        len--;
    if (len - at >= sizeof t->link)
        return;
    memcpy(t->link, line + at, len - at);
    t->link[len - at] = 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count;
    if (len > 5 && strncmp(line, "HTTP/", 5) == 0) /* of the last of several replies: proxies answer too */
        t->reply.retry_after_ms = t->reply.upload_offset = t->reply.content_length = -1;
    take_number(line, len, "retry-after:", RETRY_AFTER_S_MAX, 1000, &t->reply.retry_after_ms);
    take_number(line, len, "upload-offset:", INT64_MAX, 1, &t->reply.upload_offset);
    take_number(line, len, "content-length:", INT64_MAX, 1, &t->reply.content_length);
    take_link(t, line, len);
    return len;
}

static enum err add_header(struct transfer *t, const char *format, const char *value)
{
    char line[512];
    int len = snprintf(line, sizeof line, format, value);
    if (len < 0 || (size_t)len >= sizeof line || strpbrk(line, "\r\n"))
        return err_set(ERR_INVALID, "a header of the request is too long or has a line break");
    struct curl_slist *more = curl_slist_append(t->headers, line);
    explicit_bzero(line, sizeof line);
    if (!more)
        return err_set(ERR_NOMEM, "out of memory");
    t->headers = more;
    return ERR_OK;
}

static enum err set_headers(struct transfer *t)
{
    const struct net_request *r = &t->request;
    char number[32];
    enum err e = add_header(t, "%s", "Expect:");
    if (e == ERR_OK && (r->body_bytes || r->has_body_fd))
        e = add_header(t, "Content-Type: %s", r->content_type ? r->content_type : "application/json");
    if (t->way == NET_FOLLOWS) /* it is another's: nothing else of ours goes along */
        return e;
    if (e == ERR_OK && r->follow && t->way == NET_ASKED)
        e = add_header(t, "%s", "Prefer: redirect");
    if (e == ERR_OK && r->token && !t->net->unverified)
        e = add_header(t, "Authorization: Bearer %s", r->token);
    snprintf(number, sizeof number, "%d", PROTOCOL_VERSION);
    if (e == ERR_OK)
        e = add_header(t, "Dugnad-Protocol: %s", number);
    if (e == ERR_OK && r->idempotency_key)
        e = add_header(t, "Idempotency-Key: %s", r->idempotency_key);
    if (e == ERR_OK && r->upload) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)r->body_offset);
        e = add_header(t, "Upload-Offset: %s", number);
    }
    if (e == ERR_OK && r->upload) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)r->upload_bytes);
        e = add_header(t, "Upload-Length: %s", number);
    }
    return e;
}

static void set_trust(struct transfer *t)
{
    const struct net *n = t->net;
    bool elsewhere = t->way == NET_FOLLOWS;
    bool ask_authorities = elsewhere || (!n->unverified && !*n->pins);
    curl_easy_setopt(t->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYPEER, ask_authorities ? 1L : 0L);
    curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, ask_authorities ? 2L : 0L);
    if (!ask_authorities) { /* else curl reads a megabyte of certificates for nothing */
        curl_easy_setopt(t->curl, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(t->curl, CURLOPT_CAPATH, NULL);
    } else if (n->authorities) {
        curl_easy_setopt(t->curl, CURLOPT_CAINFO, n->authorities);
        curl_easy_setopt(t->curl, CURLOPT_CAPATH, NULL);
    }
    if (n->authorities)
        curl_easy_setopt(t->curl, CURLOPT_PROXY_CAINFO, n->authorities);
    if (!elsewhere && !n->unverified && *n->pins)
        curl_easy_setopt(t->curl, CURLOPT_PINNEDPUBLICKEY, n->pins);
}

static void set_body(struct transfer *t)
{
    const struct net_request *r = &t->request;
    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
    } else if (strcmp(r->method, "GET") == 0) {
        curl_easy_setopt(t->curl, CURLOPT_HTTPGET, 1L);
    } else if (strcmp(r->method, "DELETE") == 0) {
        curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, "DELETE");
    } else {
        curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, r->method);
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_bytes);
        curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(t->curl, CURLOPT_READDATA, t);
        curl_easy_setopt(t->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(t->curl, CURLOPT_SEEKDATA, t);
    }
    if (r->range_from) { /* CURLOPT_RESUME_FROM would take a 200 for an error */
        char range[32];
        snprintf(range, sizeof range, "%llu-", (unsigned long long)r->range_from);
        curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
    }
}

static void set_options(struct transfer *t)
{
    const struct net *n = t->net;
    CURL *c = t->curl;
    curl_easy_setopt(c, CURLOPT_URL, t->way == NET_FOLLOWS ? t->link : t->request.url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, t->way == NET_FOLLOWS ? "http,https" : "https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_SHARE, n->share);
    curl_easy_setopt(c, CURLOPT_USERAGENT, n->user_agent);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->detail);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, t->request.timeout_s ? 0L : (long)STALL_S);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)t->request.timeout_s);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L); /* a way that is broken is noticed, and one kept open */
    curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    if (n->proxy)
        curl_easy_setopt(c, CURLOPT_PROXY, n->proxy);
    set_trust(t);
    set_body(t);
}

enum err transfer_new(struct net *n, const struct net_request *request, struct transfer **ret)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t || !(t->curl = curl_easy_init())) {
        free(t);
        return err_set(ERR_NOMEM, "out of memory");
    }
    t->net = n;
    t->request = *request;
    t->reply = (struct net_reply){.retry_after_ms = -1, .upload_offset = -1, .content_length = -1};
    enum err e = set_headers(t);
    if (e != ERR_OK) {
        transfer_free(t);
        return e;
    }
    set_options(t);
    *ret = t;
    return ERR_OK;
}

/* scheme://host:port of a URL, for sentences: the rest is nobody's business. */
static int origin_len(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return (int)((size_t)(host - url) + strcspn(host, "/?#"));
}

static enum err no_reply(const struct transfer *t, CURLcode code)
{
    const char *url = t->way == NET_FOLLOWS ? t->link : t->request.url;
    int len = origin_len(url);
    const char *detail = *t->detail ? t->detail : curl_easy_strerror(code);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(ERR_TIMEOUT, "%.*s did not answer in time: %s", len, url, detail);
    case CURLE_OUT_OF_MEMORY:
        return err_set(ERR_NOMEM, "out of memory");
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return err_set(ERR_UNTRUSTED,
                       "%.*s shows another certificate than the project has signed for: "
                       "the project has renewed it, or somebody stands in between",
                       len, url);
    case CURLE_PEER_FAILED_VERIFICATION:
        return err_set(ERR_UNTRUSTED,
                       "%.*s shows a certificate that nobody vouches for (%s): use the project's join link",
                       len, url, detail);
    default:
        return err_set(ERR_UNREACHABLE, "%.*s cannot be reached: %s", len, url, detail);
    }
}

static bool is_this_machine(const char *url, const char *scheme)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    if (!str_starts(url, scheme))
        return false;
    url += strlen(scheme);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (str_starts(url, hosts[i]) && strchr(":/", url[strlen(hosts[i])]))
            return true;
    return false;
}

/* Without TLS only from this machine to itself. */
static bool may_follow(const struct transfer *t)
{
    return str_starts(t->link, "https://") ||
           (is_this_machine(t->link, "http://") && is_this_machine(t->request.url, "https://"));
}

static bool set_up(struct transfer *t, enum net_way way)
{
    t->way = way;
    t->sent = 0;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    buf_done(&t->reply.body);
    t->reply = (struct net_reply){.retry_after_ms = -1, .upload_offset = -1, .content_length = -1};
    curl_easy_reset(t->curl);
    if (set_headers(t) != ERR_OK)
        return false;
    set_options(t);
    return true;
}

bool transfer_again(struct transfer *t, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (!t->request.follow || t->net->unverified || t->err != ERR_OK)
        return false;
    if (t->way == NET_ASKED && code == CURLE_OK && status == 307 && may_follow(t))
        return set_up(t, NET_FOLLOWS);
    bool good = code == CURLE_OK && status >= 200 && status <= 299;
    return t->way == NET_FOLLOWS && !good && !t->started_file && set_up(t, NET_FALLEN_BACK);
}

enum err transfer_judge(struct transfer *t, CURLcode code)
{
    long status = 0, heads[2] = {0};
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->curl, CURLINFO_HEADER_SIZE, &heads[0]);
    curl_easy_getinfo(t->curl, CURLINFO_REQUEST_SIZE, &heads[1]);
    t->net->moved_bytes += (uint64_t)(heads[0] + heads[1]);
    if (t->err != ERR_OK)
        return err_set(t->err, "%s", t->problem);
    if (code != CURLE_OK)
        return no_reply(t, code);
    if (t->way == NET_FOLLOWS && (status < 200 || status > 299))
        return err_set(ERR_UNREACHABLE, "%.*s answers %ld to the server's link", origin_len(t->link), t->link,
                       status);
    t->reply.status = status;
    if (status >= 200 && status <= 299) {
        /* a whole of no bytes still empties what a range had begun */
        if (t->request.has_reply_fd && !t->started_file && status != 206)
            return start_file(t, status);
        return ERR_OK;
    }
    if (status >= 300 && status <= 399)
        return err_set(ERR_UNREACHABLE,
                       "%.*s sends us elsewhere, which is not followed: use the project's own address",
                       origin_len(t->request.url), t->request.url);
    return error_from_reply((int)status, buf_text(&t->reply.body), t->reply.body.len);
}
