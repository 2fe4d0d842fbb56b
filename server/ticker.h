/* ticker.h - a thread that does one thing again and again: when it is woken, and every so often. */
#ifndef SERVER_TICKER_H
#define SERVER_TICKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ticker;

/* run is called at once, and then after each wake and every every_ms at the latest. */
enum err ticker_start(void (*run)(void *ctx), void *ctx, int64_t every_ms,
                      struct ticker **ret_ticker) NODISCARD;
void ticker_wake(struct ticker *t); /* any thread, quick */
/* Asks run to come to an end (ticker_stops() says so), waits for it and frees t. NULL is fine. */
void ticker_stop(struct ticker *t);
bool ticker_stops(const struct ticker *t); /* NULL: no */

#endif
