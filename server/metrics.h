/* metrics.h - what the server counts of its own requests, for /metrics. Any thread, never blocks. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Upper bounds of the buckets of a request's duration, in microseconds; the last one is endless. */
#define METRICS_BOUND_LIST(X)                                                                                \
    X(1000) X(2500) X(5000) X(10000) X(25000) X(50000) X(100000) X(250000) X(1000000) X(5000000)
#define METRICS_BOUNDS 10

struct metrics;

struct metrics *metrics_new(void); /* for each of routes[] (route.h); NULL when out of memory */
void metrics_free(struct metrics *m);
void metrics_note(struct metrics *m, size_t route, int status, int64_t took_us, uint64_t body_bytes);
/* Prometheus text (version 0.0.4): dugnad_http_requests_total{method=,route=,code=} and
 * dugnad_http_request_seconds{method=,route=}; the labels are those of routes[] (route.h). */
enum err metrics_print(const struct metrics *m, struct buf *out) NODISCARD;
/* One gauge or counter with its help line. */
enum err metrics_value(struct buf *out, const char *name, const char *kind, const char *help,
                       double value) NODISCARD;

#endif
