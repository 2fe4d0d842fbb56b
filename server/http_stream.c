/* http_stream.c - replies that stay open: text/event-stream, pushed to from any thread. */
#include <microhttpd.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "server/http_in.h"

enum { STREAM_BYTES_MAX = 256 << 10, STREAM_LOW_BYTES = 16 << 10 };

struct http_stream {
    pthread_mutex_t lock;
    struct http_sleeper sleeper;
    struct buf waiting;
    bool asleep, closed, gone;
    void (*drained)(void *ctx);
    void *drained_ctx;
    int holders; /* the pusher and the connection */
};

static void stream_release(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->holders == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    buf_done(&s->waiting);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static ssize_t stream_read(void *ctx, uint64_t pos, char *bytes, size_t room)
{
    struct http_stream *s = ctx;
    ssize_t n = 0;
    (void)pos;
    pthread_mutex_lock(&s->lock);
    if (s->waiting.len > 0) {
        size_t len = s->waiting.len < room ? s->waiting.len : room;
        memcpy(bytes, s->waiting.data, len);
        memmove(s->waiting.data, s->waiting.data + len, s->waiting.len - len);
        s->waiting.len -= len;
        n = (ssize_t)len;
        if (s->drained && !s->closed && s->waiting.len < STREAM_LOW_BYTES &&
            s->waiting.len + len >= STREAM_LOW_BYTES)
            s->drained(s->drained_ctx);
    } else if (s->closed) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        s->asleep = true;
        http_loop_sleep(&s->sleeper);
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void stream_free(void *ctx)
{
    struct http_stream *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->gone = true;
    pthread_mutex_unlock(&s->lock);
    stream_release(s);
}

static void stream_wake(struct http_stream *s)
{
    if (s->asleep && !s->gone) {
        s->asleep = false;
        http_loop_wake(&s->sleeper);
    }
}

static void on_lost(struct http_sleeper *sleeper)
{
    struct http_stream *s = (void *)((char *)sleeper - offsetof(struct http_stream, sleeper));
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    stream_wake(s);
    pthread_mutex_unlock(&s->lock);
}

struct http_stream *http_reply_stream(struct http_request *r)
{
    struct http_stream *s = calloc(1, sizeof *s);
    struct MHD_Response *response = NULL;
    if (s) {
        pthread_mutex_init(&s->lock, NULL);
        http_sleeper_init(r, &s->sleeper);
        s->sleeper.lost = on_lost;
        s->holders = 2;
        buf_init(&s->waiting, STREAM_BYTES_MAX);
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, s, stream_free);
    }
    if (!response) {
        free(s);
        http_reply_err(r, ERR_NOMEM, "no memory for an event stream", 0);
        return NULL;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    http_answer(r, MHD_HTTP_OK, response, false);
    return s;
}

bool http_stream_push(struct http_stream *s, const char *text, size_t len)
{
    pthread_mutex_lock(&s->lock);
    bool good = !s->gone && !s->closed && buf_add(&s->waiting, text, len) == ERR_OK;
    if (good)
        stream_wake(s);
    pthread_mutex_unlock(&s->lock);
    return good;
}

size_t http_stream_waiting(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->waiting.len;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void http_stream_watch(struct http_stream *s, void (*drained)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&s->lock);
    s->drained = drained;
    s->drained_ctx = ctx;
    pthread_mutex_unlock(&s->lock);
}

void http_stream_close(struct http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    stream_wake(s);
    pthread_mutex_unlock(&s->lock);
    stream_release(s);
}
