#include "server/tail.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "server/api_stream.h"
#include "server/store_load.h"
#include "server/ticker.h"
#include "server/try.h"

enum { PAGE = 50, LOOK_EVERY_MS = 1000, ALIVE_EVERY_MS = 15000, AHEAD_BYTES_MAX = 64 << 10 };

struct tail {
    struct http_stream *http;
    uint64_t stream, after;
    bool behind; /* there may be records that it was not given */
    int64_t told_ms;
};

struct tails {
    struct store *store;
    struct ticker *ticker;
    atomic_bool news; /* some stream has new records: the engine's thread waits for no lock */
    pthread_mutex_t lock;
    uint32_t count;
    struct tail list[TAILS_MAX];
};

static enum err print_event(struct call *c, const struct store_record *r, struct buf *out)
{
    BUF_AUTO struct buf json = {0};
    struct json_out o;
    json_out_init(&o, &json);
    TRY(record_write(c, &o, r, 0, false));
    TRY(json_out_end(&o));
    return buf_printf(out, "id: %" PRIu64 "\ndata: %s\n\n", r->seq, buf_text(&json));
}

/* A page of records into its connection; *ret_more: it takes another at once, else it says when it has room.
 * An error: it is over. */
static enum err give(struct tails *t, struct tail *l, bool *ret_more)
{
    struct http_request http = {0}; /* for its arena */
    struct call call = {.http = &http, .store = t->store};
    struct store_record *list;
    uint32_t count = 0, i = 0;
    size_t waiting = http_stream_waiting(l->http);
    if (waiting > AHEAD_BYTES_MAX)
        return ERR_OK;
    enum err e = store_record_list(t->store, &http.arena, l->stream, l->after, PAGE, &list, &count);
    for (; e == ERR_OK && i < count && http_stream_waiting(l->http) <= AHEAD_BYTES_MAX; i++) {
        BUF_AUTO struct buf event = {0};
        e = print_event(&call, &list[i], &event);
        if (e == ERR_OK && !http_stream_push(l->http, event.data, event.len))
            e = err_set(ERR_UNREACHABLE, "the reader is gone");
        if (e == ERR_OK)
            l->after = list[i].seq;
    }
    l->behind = i < count || count == PAGE;
    if (i > 0)
        l->told_ms = clock_mono_ms();
    *ret_more |= e == ERR_OK && l->behind && http_stream_waiting(l->http) <= AHEAD_BYTES_MAX;
    arena_done(&http.arena);
    return e;
}

static enum err serve(struct tails *t, struct tail *l, bool *ret_more)
{
    if (l->behind)
        TRY(give(t, l, ret_more));
    if (clock_mono_ms() - l->told_ms < ALIVE_EVERY_MS)
        return ERR_OK;
    l->told_ms = clock_mono_ms();
    return http_stream_push(l->http, ":\n\n", 3) ? ERR_OK : err_set(ERR_UNREACHABLE, "the reader is gone");
}

static void look(void *ctx)
{
    struct tails *t = ctx;
    bool more = true;
    while (more && !ticker_stops(t->ticker)) {
        bool news = atomic_exchange(&t->news, false) || store_shared(t->store);
        more = false;
        pthread_mutex_lock(&t->lock);
        for (uint32_t i = 0; i < t->count;) {
            t->list[i].behind |= news;
            if (serve(t, &t->list[i], &more) == ERR_OK) {
                i++;
                continue;
            }
            http_stream_close(t->list[i].http);
            t->list[i] = t->list[--t->count];
        }
        pthread_mutex_unlock(&t->lock);
    }
}

enum err tails_start(struct store *store, struct tails **ret_tails)
{
    struct tails *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(ERR_NOMEM, "no memory for streams of events");
    t->store = store;
    pthread_mutex_init(&t->lock, NULL);
    enum err e = ticker_start(look, t, LOOK_EVERY_MS, &t->ticker);
    if (e != ERR_OK) {
        pthread_mutex_destroy(&t->lock);
        free(t);
        return e;
    }
    *ret_tails = t;
    return ERR_OK;
}

static void drained(void *ctx)
{
    ticker_wake(((struct tails *)ctx)->ticker);
}

enum err tails_add(struct tails *t, struct http_request *request, uint64_t stream, uint64_t after)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&t->lock);
    if (t->count == TAILS_MAX)
        e = err_set(ERR_BUSY, "%d readers listen already: ask with ?wait= instead", TAILS_MAX);
    struct http_stream *http = e == ERR_OK ? http_reply_stream(request) : NULL;
    if (http) /* NULL: the request is answered */
        http_stream_watch(http, drained, t);
    if (http)
        t->list[t->count++] = (struct tail){
            .http = http, .stream = stream, .after = after, .behind = true, .told_ms = clock_mono_ms()};
    pthread_mutex_unlock(&t->lock);
    ticker_wake(t->ticker);
    return e;
}

void tails_wake(struct tails *t)
{
    atomic_store(&t->news, true);
    ticker_wake(t->ticker);
}

void tails_stop(struct tails *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < t->count; i++) /* who reads on would wake what is about to go */
        http_stream_watch(t->list[i].http, NULL, NULL);
    pthread_mutex_unlock(&t->lock);
    ticker_stop(t->ticker);
    for (uint32_t i = 0; i < t->count; i++)
        http_stream_close(t->list[i].http);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
