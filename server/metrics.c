#include "server/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/str.h"
#include "server/route.h"
#include "server/try.h"

enum { CLASSES = 6 }; /* of HTTP status: 1xx to 5xx, and none */

struct route_metrics {
    atomic_ullong by_class[CLASSES];
    atomic_ullong buckets[METRICS_BOUNDS + 1], total_us, body_bytes;
};

struct metrics {
    size_t count;
    struct route_metrics routes[];
};

static const int64_t bounds[METRICS_BOUNDS] = {
#define X(us) us,
    METRICS_BOUND_LIST(X)
#undef X
};

struct metrics *metrics_new(void)
{
    struct metrics *m = calloc(1, sizeof *m + route_count * sizeof *m->routes);
    if (m)
        m->count = route_count;
    return m;
}

void metrics_free(struct metrics *m)
{
    free(m);
}

void metrics_note(struct metrics *m, size_t route, int status, int64_t took_us, uint64_t body_bytes)
{
    if (route >= m->count)
        return;
    struct route_metrics *r = &m->routes[route];
    size_t i = 0;
    while (i < METRICS_BOUNDS && took_us > bounds[i])
        i++;
    atomic_fetch_add_explicit(&r->by_class[status >= 100 && status < 600 ? status / 100 : 0], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&r->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->total_us, (unsigned long long)(took_us > 0 ? took_us : 0),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&r->body_bytes, body_bytes, memory_order_relaxed);
}

static unsigned long long value(const atomic_ullong *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static enum err print_codes(const struct route_metrics *r, const struct route *at, struct buf *out)
{
    for (int c = 1; c < CLASSES; c++)
        if (value(&r->by_class[c]))
            TRY(buf_printf(out, "dugnad_http_requests_total{method=\"%s\",route=\"%s\",code=\"%dxx\"} %llu\n",
                           at->method, at->path, c, value(&r->by_class[c])));
    return ERR_OK;
}

static enum err print_durations(const struct route_metrics *r, const struct route *at, struct buf *out)
{
    unsigned long long sum = 0;
    for (size_t i = 0; i <= METRICS_BOUNDS; i++)
        sum += value(&r->buckets[i]);
    if (!sum)
        return ERR_OK;
    sum = 0;
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        sum += value(&r->buckets[i]);
        TRY(buf_printf(out, "dugnad_http_request_seconds_bucket{method=\"%s\",route=\"%s\",le=\"%g\"} %llu\n",
                       at->method, at->path, (double)bounds[i] / 1e6, sum));
    }
    sum += value(&r->buckets[METRICS_BOUNDS]);
    TRY(buf_printf(out, "dugnad_http_request_seconds_bucket{method=\"%s\",route=\"%s\",le=\"+Inf\"} %llu\n",
                   at->method, at->path, sum));
    TRY(buf_printf(out, "dugnad_http_request_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n", at->method,
                   at->path, (double)value(&r->total_us) / 1e6));
    return buf_printf(out, "dugnad_http_request_seconds_count{method=\"%s\",route=\"%s\"} %llu\n", at->method,
                      at->path, sum);
}

enum err metrics_print(const struct metrics *m, struct buf *out)
{
    TRY(buf_add_text(out, "# HELP dugnad_http_requests_total Requests answered.\n"
                          "# TYPE dugnad_http_requests_total counter\n"));
    for (size_t i = 0; i < m->count; i++)
        TRY(print_codes(&m->routes[i], &routes[i], out));
    TRY(buf_add_text(out, "# HELP dugnad_http_request_seconds From the headers to the end of the answer.\n"
                          "# TYPE dugnad_http_request_seconds histogram\n"));
    for (size_t i = 0; i < m->count; i++)
        TRY(print_durations(&m->routes[i], &routes[i], out));
    return ERR_OK;
}

enum err metrics_value(struct buf *out, const char *name, const char *kind, const char *help, double v)
{
    char text[STR_DOUBLE_BYTES];
    str_from_double(v, text);
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, kind, name, text);
}
