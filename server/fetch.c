/* fetch.c - see fetch.h */
#include "server/fetch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/file.h"
#include "base/str.h"

struct transfer {
    const struct fetch_request *request;
    struct fetch_reply *reply;
    CURL *curl;
    uint64_t sent, received;
    enum err err; /* of our own callbacks */
};

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURL *easy(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);
    return curl_easy_init();
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    const struct fetch_request *r = t->request;
    uint64_t left = r->body_bytes - t->sent;
    size_t want = size * count < left ? size * count : (size_t)left;
    if (r->body) {
        memcpy(to, (const char *)r->body + t->sent, want);
    } else {
        ssize_t got = pread(r->body_fd, to, want, (off_t)(r->body_offset + t->sent));
        if (got < 0 || (got == 0 && want > 0)) {
            t->err = err_set_errno(ERR_IO, "cannot read the file to send");
            return CURL_READFUNC_ABORT;
        }
        want = (size_t)got;
    }
    t->sent += want;
    return want;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *t = ctx;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->request->body_bytes)
        return CURL_SEEKFUNC_FAIL;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    const struct fetch_request *r = t->request;
    uint64_t most = r->reply_bytes_max ? r->reply_bytes_max : FETCH_REPLY_BYTES_MAX;
    long status = 0;
    t->received += size * count;
    if (t->received > most) {
        t->err = err_set(ERR_LIMIT, "the reply is larger than %llu bytes", (unsigned long long)most);
        return 0;
    }
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    t->err = r->into_file && status >= 200 && status <= 299 ? file_write_all(r->into_fd, bytes, size * count)
                                                            : buf_add(&t->reply->body, bytes, size * count);
    return t->err == ERR_OK ? size * count : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count, name = sizeof "etag:" - 1;
    if (len > name && strncasecmp(bytes, "etag:", name) == 0) {
        while (name < len && strchr(" \t", bytes[name]))
            name++;
        while (len > name && strchr("\r\n ", bytes[len - 1]))
            len--;
        if (len - name < sizeof t->reply->etag) {
            memcpy(t->reply->etag, bytes + name, len - name);
            t->reply->etag[len - name] = 0;
        }
    }
    return size * count;
}

/* scheme://host:port of a URL, for sentences: a path or query may carry what is nobody's business. */
static int host_len(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return (int)((size_t)(host - url) + strcspn(host, "/?#"));
}

static enum err outcome(const struct transfer *t, CURLcode code, const char *url)
{
    if (t && t->err != ERR_OK)
        return t->err;
    if (code == CURLE_OK)
        return ERR_OK;
    enum err e = code == CURLE_OPERATION_TIMEDOUT         ? ERR_TIMEOUT
                 : code == CURLE_OUT_OF_MEMORY            ? ERR_NOMEM
                 : code == CURLE_PEER_FAILED_VERIFICATION ? ERR_UNTRUSTED
                 : code == CURLE_LOGIN_DENIED             ? ERR_DENIED
                                                          : ERR_UNREACHABLE;
    return err_set(e, "%.*s: %s", host_len(url), url, curl_easy_strerror(code));
}

static void set_common(CURL *curl, const char *url, const char *user, const char *password,
                       const char *ca_file, int64_t timeout_ms)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 0 ? timeout_ms : 30000));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1024L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L);
    if (ca_file && *ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    if (user && *user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, password ? password : "");
    }
}

static struct curl_slist *header_list(const struct fetch_request *r)
{
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < FETCH_HEADERS_MAX && r->headers[i]; i++) {
        struct curl_slist *more = curl_slist_append(list, r->headers[i]);
        list = more ? more : list;
    }
    if (r->sigv4) /* curl would sign the header that it does not send; an object store knows what to expect */
        return list;
    struct curl_slist *more = curl_slist_append(list, "Expect:");
    return more ? more : list;
}

static void set_method(CURL *curl, const struct fetch_request *r, struct transfer *t)
{
    bool sends = r->body || r->body_bytes > 0;
    if (str_eq(r->method, "HEAD")) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (sends || str_eq(r->method, "PUT") || str_eq(r->method, "POST")) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_bytes);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, t);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, t);
    } else if (!str_eq(r->method, "GET")) {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
    }
}

enum err fetch_http(const struct fetch_request *r, struct fetch_reply *ret_reply)
{
    struct transfer t = {.request = r, .reply = ret_reply, .curl = easy()};
    long status = 0;
    curl_off_t length = 0;
    *ret_reply = (struct fetch_reply){.body = {.bytes_max = FETCH_REPLY_BYTES_MAX}};
    if (!t.curl)
        return err_set(ERR_NOMEM, "out of memory for a request");
    struct curl_slist *headers = header_list(r);
    set_common(t.curl, r->url, r->user, r->password, r->ca_file, r->timeout_ms);
    if (r->stall_s > 0)
        curl_easy_setopt(t.curl, CURLOPT_LOW_SPEED_TIME, (long)r->stall_s);
    if (r->connect_ms > 0)
        curl_easy_setopt(t.curl, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    curl_easy_setopt(t.curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t.curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(t.curl, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(t.curl, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(t.curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t.curl, CURLOPT_HEADERDATA, &t);
    if (r->sigv4)
        curl_easy_setopt(t.curl, CURLOPT_AWS_SIGV4, r->sigv4);
    set_method(t.curl, r, &t);
    enum err e = outcome(&t, curl_easy_perform(t.curl), r->url);
    curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    ret_reply->status = (int)status;
    ret_reply->content_bytes = length > 0 ? (uint64_t)length : 0;
    curl_easy_cleanup(t.curl);
    curl_slist_free_all(headers);
    if (e != ERR_OK)
        fetch_reply_done(ret_reply);
    return e;
}

void fetch_reply_done(struct fetch_reply *reply)
{
    buf_done(&reply->body);
}

/* A mail server says in words what it does not like: its last line is kept. */
#define SAID_BYTES 160
static size_t on_said(char *bytes, size_t size, size_t count, void *ctx)
{
    char *said = ctx;
    size_t len = 0;
    while (len < size * count && len < SAID_BYTES - 1 && bytes[len] >= ' ' && bytes[len] < 0x7f) {
        said[len] = bytes[len];
        len++;
    }
    said[len] = 0;
    return size * count;
}

enum err fetch_mail(const struct fetch_mail *m)
{
    char said[SAID_BYTES] = "";
    struct fetch_request body = {.body = m->message, .body_bytes = m->message_bytes};
    struct transfer t = {.request = &body, .curl = easy()};
    struct curl_slist *to = NULL;
    if (!t.curl)
        return err_set(ERR_NOMEM, "out of memory for a mail");
    for (size_t i = 0; i < m->to_count; i++) {
        struct curl_slist *more = curl_slist_append(to, m->to[i]);
        to = more ? more : to;
    }
    set_common(t.curl, m->url, m->user, m->password, m->ca_file, m->timeout_ms);
    curl_easy_setopt(t.curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(t.curl, CURLOPT_USE_SSL, m->user && *m->user ? CURLUSESSL_ALL : CURLUSESSL_TRY);
    curl_easy_setopt(t.curl, CURLOPT_MAIL_FROM, m->from);
    curl_easy_setopt(t.curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(t.curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(t.curl, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(t.curl, CURLOPT_READDATA, &t);
    curl_easy_setopt(t.curl, CURLOPT_HEADERFUNCTION, on_said);
    curl_easy_setopt(t.curl, CURLOPT_HEADERDATA, said);
    enum err e = outcome(&t, curl_easy_perform(t.curl), m->url);
    curl_easy_cleanup(t.curl);
    curl_slist_free_all(to);
    if (e != ERR_OK && (said[0] == '4' || said[0] == '5'))
        return err_set(e, "%.*s said \"%s\"", host_len(m->url), m->url, said);
    return e;
}
