#include "server/http.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/http_certificate.h"
#include "server/http_door.h"
#include "server/http_in.h"
#include "server/http_link.h"
#include "server/http_lobby.h"
#include "server/http_loop.h"
#include "server/try.h"
#include "wire/error_msg.h"

enum {
    TICKET_S = 86400, /* a host that was not heard for longer shakes hands in full */
    THREADS_DEFAULT = 2,
    CONNECTIONS_DEFAULT = 10000,
    WAITING_DEFAULT = 1000,
    IDLE_DEFAULT_S = 120,
    CONNECTION_BYTES =
        16 << 10, /* of one connection, headers included; all of it is zeroed after each request */
    RETRY_DEFAULT_MS = 5000,
};

#define TLS_PRIORITIES "SECURE128:%SERVER_PRECEDENCE:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* A thread with its libmicrohttpd. */
struct room {
    struct http *http;
    struct MHD_Daemon *daemon;
    struct http_loop *loop;
    bool adding; /* a guest, who is not yet one of the daemon's connections */
};

struct http {
    struct http_config config;
    gnutls_datum_t ticket_key;
    struct http_certificate_place certificate;
    struct http_door *door;
    struct http_lobby *lobby;
    struct room *rooms;
    uint32_t room_count;
};

/* The answer may come from another thread before, while or after the connection falls asleep. */
struct http_inner {
    struct http_request request;
    struct http *http;
    struct MHD_Connection *connection;
    struct http_sleeper sleeper;
    struct http_watch watch;
    pthread_mutex_t lock;
    bool handled, asleep;
    void (*late)(struct http_request *r); /* makes the reply */
    struct MHD_Response *response;
    int status;
    bool has_body;    /* that is there already */
    enum err refused; /* while the body came */
    char *refusal;
};

static uint32_t or_default(uint32_t v, uint32_t fallback)
{
    return v ? v : fallback;
}

static struct http_inner *inner_of(const struct http_request *r)
{
    return r->inner;
}

struct MHD_Connection *http_connection(const struct http_request *r)
{
    return inner_of(r)->connection;
}

void http_sleeper_init(const struct http_request *r, struct http_sleeper *ret)
{
    const struct http_sleeper *s = &inner_of(r)->sleeper; /* its place among others is the loop's alone */
    *ret = (struct http_sleeper){.loop = s->loop, .connection = s->connection};
}

const atomic_bool *http_watch(struct http_request *r)
{
    struct http_inner *n = inner_of(r);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(n->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (fd)
        http_loop_watch(n->sleeper.loop, &n->watch, fd->connect_fd);
    return &n->watch.gone;
}

bool http_may_linger(const struct http_request *r)
{
    const struct http *h = inner_of(r)->http;
    const union MHD_ConnectionInfo *from =
        MHD_get_connection_info(inner_of(r)->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return http_connections(h) <= or_default(h->config.connections_max, CONNECTIONS_DEFAULT) / 2 && from &&
           !http_door_is_half_full(h->door, from->client_addr);
}

/* --- answering --- */

void http_reply_header(struct http_reply *p, const char *name, const char *value)
{
    if (p->header_count == HTTP_HEADERS_MAX)
        return;
    p->headers[p->header_count].name = name;
    p->headers[p->header_count++].value = value;
}

/* Of a reply to HEAD nothing is read but its length. */
static ssize_t no_bytes(void *ctx, uint64_t at, char *to, size_t room)
{
    (void)ctx, (void)at, (void)to, (void)room;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_response(struct http_reply *p)
{
    if (p->has_fd)
        return MHD_create_response_from_fd_at_offset64(p->fd_bytes, p->fd, p->fd_offset);
    if (p->head_bytes > 0)
        return MHD_create_response_from_callback(p->head_bytes, 1, no_bytes, NULL, NULL);
    if (p->body && p->body->len > 0) {
        size_t len = p->body->len;
        char *bytes = buf_take(p->body);
        struct MHD_Response *response = MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
        if (!response)
            free(bytes);
        return response;
    }
    /* The cast: MHD only reads what is persistent. */
    return MHD_create_response_from_buffer(p->still_bytes, (void *)(uintptr_t)(p->still ? p->still : ""),
                                           MHD_RESPMEM_PERSISTENT);
}

void http_answer(struct http_request *r, int status, struct MHD_Response *response, bool has_body)
{
    struct http_inner *n = inner_of(r);
    pthread_mutex_lock(&n->lock);
    n->status = status;
    n->has_body = has_body;
    n->response = response;
    bool asleep = n->asleep;
    n->asleep = false;
    pthread_mutex_unlock(&n->lock);
    if (asleep)
        http_loop_wake(&n->sleeper);
}

void http_reply_by(struct http_request *r, void (*reply)(struct http_request *r))
{
    struct http_inner *n = inner_of(r);
    pthread_mutex_lock(&n->lock);
    n->late = reply;
    bool asleep = n->asleep;
    n->asleep = false;
    pthread_mutex_unlock(&n->lock);
    if (asleep)
        http_loop_wake(&n->sleeper);
}

/* Hosts that were answered would keep their connections for minutes while others wait at the door. */
static bool is_crowded(const struct http *h)
{
    return http_connections(h) - http_lobby_guests(h->lobby) >
           or_default(h->config.connections_max, CONNECTIONS_DEFAULT) / 4 * 3;
}

void http_reply(struct http_request *r, struct http_reply *p)
{
    bool has_body = p->has_fd ? p->fd_bytes > 0 : (p->body && p->body->len > 0) || p->still_bytes > 0;
    struct MHD_Response *response = make_response(p);
    if (!response) {
        has_body = false;
        if (p->has_fd)
            close(p->fd);
        response = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
        p->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    } else {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                p->content_type ? p->content_type : "application/json");
    }
    for (uint32_t i = 0; i < p->header_count; i++)
        MHD_add_response_header(response, p->headers[i].name, p->headers[i].value);
    if (is_crowded(inner_of(r)->http))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    http_answer(r, p->status, response, has_body);
}

void http_reply_err(struct http_request *r, enum err e, const char *message, int64_t retry_after_ms)
{
    struct buf BUF_AUTO body = {0};
    char seconds[24];
    struct http_reply p = {.status = err_http(e), .body = &body};
    if (error_write(e, message ? message : "", &body) != ERR_OK)
        buf_clear(&body);
    if (p.status == 429 || p.status == 503 || p.status == 507) {
        snprintf(seconds, sizeof seconds, "%lld",
                 (long long)((retry_after_ms > 0 ? retry_after_ms : RETRY_DEFAULT_MS) + 999) / 1000);
        http_reply_header(&p, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (r->error_header)
        http_reply_header(&p, r->error_header, r->error_value);
    if (e == ERR_AUTH)
        http_reply_header(&p, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    http_reply(r, &p);
}

/* --- the life of a request --- */

static void peer_text(struct MHD_Connection *c, char *ret, size_t room)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    ret[0] = '\0';
    if (!a)
        return;
    if (a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, ret, (socklen_t)room);
    else if (a->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, ret, (socklen_t)room);
}

static bool sends_body(const struct http_inner *n)
{
    return n->has_body && n->status != MHD_HTTP_NO_CONTENT && n->status != MHD_HTTP_NOT_MODIFIED &&
           strcmp(n->request.method, "HEAD") != 0;
}

static enum MHD_Result send_response(struct http_inner *n)
{
    const union MHD_ConnectionInfo *link =
        MHD_get_connection_info(n->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (link && link->socket_context && sends_body(n))
        http_link_more(link->socket_context);
    enum MHD_Result sent = MHD_queue_response(n->connection, (unsigned)n->status, n->response);
    MHD_destroy_response(n->response);
    n->response = NULL;
    return sent;
}

static enum MHD_Result send_late(struct http_inner *n)
{
    void (*late)(struct http_request *) = n->late;
    n->late = NULL;
    if (late)
        late(&n->request);
    return n->response ? send_response(n) : MHD_YES;
}

static enum MHD_Result refuse(struct http_inner *n, enum err e, const char *message)
{
    n->handled = true;
    http_reply_err(&n->request, e, message, 0);
    return send_response(n);
}

static enum MHD_Result refuse_all(struct http_inner *n)
{
    return refuse(n, ERR_BUSY, "the server is about to stop: try again in a moment");
}

static void on_lost(struct http_sleeper *s)
{
    struct http_inner *n = (void *)((char *)s - offsetof(struct http_inner, sleeper));
    log_event(LOG_ERROR, "request-lost", "method", n->request.method, "path", n->request.path, NULL);
    http_reply_err(&n->request, ERR_BUSY, "the server stopped before it had an answer", 0);
}

static enum MHD_Result begin(const struct room *room, struct MHD_Connection *c, const char *url,
                             const char *method, void **con_cls)
{
    struct http *h = room->http;
    struct http_inner *n = calloc(1, sizeof *n);
    if (!n)
        return MHD_NO;
    n->http = h;
    n->connection = c;
    n->sleeper = (struct http_sleeper){.loop = room->loop, .connection = c, .lost = on_lost};
    pthread_mutex_init(&n->lock, NULL);
    struct http_request *r = &n->request;
    r->inner = n;
    r->begun_us = clock_mono_us();
    peer_text(c, r->peer, sizeof r->peer);
    *con_cls = n;
    r->method = method;
    r->path = arena_text(&r->arena, url);
    if (!r->path)
        return MHD_NO;
    if (http_loop_is_quiet(room->loop))
        return refuse_all(n);
    enum err e = h->config.begin(h->config.ctx, r);
    if (e != ERR_OK)
        return refuse(n, e, err_text());
    const char *length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length && strtoull(length, NULL, 10) > r->body_bytes_max) {
        e = err_set(ERR_LIMIT, "the body has %.20s bytes, %s %s takes %llu at most", length, method, url,
                    (unsigned long long)r->body_bytes_max);
        return refuse(n, e, err_text());
    }
    buf_init(&r->body, (size_t)r->body_bytes_max + 1);
    return MHD_YES;
}

static void take_piece(struct http_inner *n, const char *bytes, size_t len)
{
    struct http_request *r = &n->request;
    enum err e = ERR_OK;
    if (n->refused != ERR_OK)
        return;
    r->body_bytes += len;
    if (r->body_bytes > r->body_bytes_max)
        e = err_set(ERR_LIMIT, "the body is over %llu bytes, the most %s %s takes",
                    (unsigned long long)r->body_bytes_max, r->method, r->path);
    else
        e = r->sink ? r->sink(r, bytes, len) : buf_add(&r->body, bytes, len);
    if (e == ERR_OK)
        return;
    n->refused = e;
    n->refusal = arena_text(&r->arena, err_text());
    buf_done(&r->body);
}

static enum MHD_Result handle(struct http_inner *n)
{
    n->handled = true;
    if (n->refused != ERR_OK)
        return refuse(n, n->refused, n->refusal);
    if (http_loop_is_quiet(n->sleeper.loop))
        return refuse_all(n);
    n->http->config.handle(n->http->config.ctx, &n->request);
    pthread_mutex_lock(&n->lock);
    bool answered = n->response || n->late;
    if (!answered) {
        n->asleep = true;
        http_loop_sleep(&n->sleeper);
    }
    pthread_mutex_unlock(&n->lock);
    return answered ? send_late(n) : MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
    struct http_inner *n = *con_cls;
    (void)version;
    if (!n)
        return begin(cls, c, url, method, con_cls);
    if (*upload_size > 0) {
        take_piece(n, upload, *upload_size);
        *upload_size = 0;
        /* Who goes on sending after it was refused is not read for ever. */
        return n->refused != ERR_OK && n->request.body_bytes > n->request.body_bytes_max + (16u << 20)
                   ? MHD_NO
                   : MHD_YES;
    }
    if (!n->handled)
        return handle(n);
    return send_late(n);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    const struct http *h = ((const struct room *)cls)->http;
    struct http_inner *n = *con_cls;
    (void)c;
    (void)code;
    if (!n)
        return;
    http_loop_unwatch(n->sleeper.loop, &n->watch);
    if (h->config.done)
        h->config.done(h->config.ctx, &n->request, n->status);
    if (n->request.drop)
        n->request.drop(&n->request);
    if (n->response)
        MHD_destroy_response(n->response);
    buf_done(&n->request.body);
    arena_done(&n->request.arena);
    pthread_mutex_destroy(&n->lock);
    free(n);
    *con_cls = NULL;
}

enum err http_set_certificate(struct http *h, const char *certificate_pem, const char *key_pem)
{
    return http_certificate_put(&h->certificate, certificate_pem, key_pem);
}

/* Session tickets make a second handshake of a host cost a tenth of the first; libmicrohttpd does not ask for
 * them. */
static void start_session(const struct room *room, struct MHD_Connection *c, int fd, void **socket_context)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!info || !info->tls_session)
        return;
    gnutls_db_set_cache_expiration(info->tls_session, TICKET_S);
    gnutls_session_ticket_enable_server(info->tls_session, &room->http->ticket_key);
    struct http_certificate *certificate = http_certificate_take(&room->http->certificate);
    *socket_context = http_link_new(info->tls_session, fd, c, room->loop, certificate);
    http_certificate_drop(certificate);
}

static void on_connection(void *cls, struct MHD_Connection *c, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct room *room = cls;
    const union MHD_ConnectionInfo *from = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (code != MHD_CONNECTION_NOTIFY_STARTED) {
        http_link_free(*socket_context);
        *socket_context = NULL;
        http_loop_left(room->loop);
        http_door_left(room->http->door, from->client_addr);
        return;
    }
    room->adding = false;
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (fd)
        start_session(room, c, fd->connect_fd, socket_context);
    http_loop_seated(room->loop, http_link_pause(*socket_context));
}

static bool seat(void *ctx, const struct http_guest *g)
{
    struct room *room = ctx;
    room->adding = true;
    bool seated = MHD_add_connection(room->daemon, g->fd, &g->from.any, g->from_len) == MHD_YES;
    if (room->adding) /* it has closed the socket without a word */
        http_door_left(room->http->door, &g->from.any);
    room->adding = false;
    return seated;
}

static void on_log(void *cls, const char *format, va_list args)
{
    char text[512];
    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_event(LOG_DEBUG, "http", "note", text, NULL);
}

static struct MHD_Daemon *start_daemon(struct room *room, uint32_t connections_max)
{
    const struct http_config *c = &room->http->config;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET,
        0, NULL, NULL, on_access, room, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_HTTPS_MEM_CERT,
        c->certificate_pem, MHD_OPTION_HTTPS_MEM_KEY, c->key_pem, MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITIES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)or_default(c->idle_s, IDLE_DEFAULT_S), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, room,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, room, MHD_OPTION_END);
}

static enum err start_room(struct http *h, uint32_t connections_max)
{
    struct room *room = &h->rooms[h->room_count];
    room->http = h;
    room->daemon = start_daemon(room, connections_max);
    if (!room->daemon)
        return err_set(ERR_IO, "HTTPS cannot be served: are certificate and key a pair?");
    struct http_loop_config config = {.daemon = room->daemon,
                                      .lobby = h->lobby,
                                      .connections_max = connections_max,
                                      .pause_ms = or_default(h->config.idle_s, IDLE_DEFAULT_S) * 1000,
                                      .seat = seat,
                                      .ctx = room};
    TRY(http_loop_new(&config, &room->loop));
    h->room_count++;
    return http_loop_start(room->loop);
}

static enum err take_ticket_key(struct http *h)
{
    if (gnutls_session_ticket_key_generate(&h->ticket_key) < 0)
        return err_set(ERR_IO, "no key for TLS session tickets can be made");
    if (!h->config.ticket_key)
        return ERR_OK;
    if (h->ticket_key.size != HTTP_TICKET_KEY_BYTES)
        return err_set(ERR_UNSUPPORTED, "this GnuTLS wants a key of %u bytes for TLS session tickets",
                       h->ticket_key.size);
    memcpy(h->ticket_key.data, h->config.ticket_key, HTTP_TICKET_KEY_BYTES);
    h->config.ticket_key = NULL; /* the caller's */
    return ERR_OK;
}

static enum err start(struct http *h)
{
    const struct http_config *c = &h->config;
    uint32_t threads = or_default(c->threads, THREADS_DEFAULT);
    uint32_t connections = or_default(c->connections_max, CONNECTIONS_DEFAULT);
    h->rooms = calloc(threads, sizeof *h->rooms);
    if (!h->rooms)
        return err_set(ERR_NOMEM, "no memory for the HTTPS server's threads");
    TRY(take_ticket_key(h));
    TRY(http_set_certificate(h, c->certificate_pem, c->key_pem));
    TRY(http_door_open(c->address, c->port, c->connections_per_ip_max, &h->door));
    struct http_lobby_config lobby = {.door = h->door,
                                      .inside_max = connections + or_default(c->waiting_max, WAITING_DEFAULT),
                                      .silent_ms = or_default(c->idle_s, IDLE_DEFAULT_S) * 1000,
                                      .threads = threads};
    TRY(http_lobby_new(&lobby, &h->lobby));
    for (uint32_t i = 0; i < threads; i++)
        TRY(start_room(h, connections / threads + (i < connections % threads)));
    return ERR_OK;
}

enum err http_start(const struct http_config *config, struct http **ret_http)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(ERR_NOMEM, "no memory for the HTTPS server");
    h->config = *config;
    http_certificate_place_init(&h->certificate);
    enum err e = start(h);
    if (e != ERR_OK) {
        http_stop(h);
        return e;
    }
    *ret_http = h; /* handlers of the first who comes in may ask for it */
    http_lobby_open(h->lobby);
    return ERR_OK;
}

uint16_t http_port(const struct http *h)
{
    return http_door_port(h->door);
}

uint32_t http_connections(const struct http *h)
{
    return http_door_inside(h->door);
}

uint32_t http_waiting(const struct http *h)
{
    return http_lobby_guests(h->lobby);
}

uint32_t http_handshakes(const struct http *h)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->room_count; i++)
        n += http_loop_shaking(h->rooms[i].loop);
    return n;
}

void http_goes_ahead(const struct http_request *r)
{
    const struct http_inner *n = inner_of(r);
    const union MHD_ConnectionInfo *from =
        MHD_get_connection_info(n->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (from && from->client_addr)
        http_door_remember(n->http->door, from->client_addr);
}

void http_quiesce(struct http *h)
{
    http_lobby_close(h->lobby);
    for (uint32_t i = 0; i < h->room_count; i++)
        http_loop_quiesce(h->rooms[i].loop);
}

void http_stop(struct http *h)
{
    if (!h)
        return;
    if (h->lobby)
        http_lobby_close(h->lobby);
    for (uint32_t i = 0; i < h->room_count; i++)
        http_loop_free(h->rooms[i].loop);
    http_lobby_free(h->lobby);
    http_door_close(h->door);
    http_certificate_place_done(&h->certificate);
    gnutls_free(h->ticket_key.data);
    free(h->rooms);
    free(h);
}
