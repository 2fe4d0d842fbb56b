#include "server/sweep.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/ticker.h"

enum { EVERY_MS = 3600000, WARN_DAYS = 30 };

struct sweep {
    struct sweep_config config;
    struct ticker *ticker;
};

static void warn_of_end(const char *what, int64_t ends_ms, int64_t now_ms)
{
    if (ends_ms - now_ms < WARN_DAYS * 86400000ll)
        log_event(LOG_WARN, ends_ms > now_ms ? "ends-soon" : "has-ended", "what", what, "days",
                  log_i64((ends_ms - now_ms) / 86400000), NULL);
}

static void sweep(void *ctx)
{
    const struct sweep *s = ctx;
    int64_t now_ms = clock_wall_ms();
    if (blobs_sweep(s->config.blobs, now_ms - s->config.upload_kept_ms) != ERR_OK)
        log_event(LOG_ERROR, "sweep-failed", "err", err_text(), NULL);
    else
        log_event(LOG_DEBUG, "swept", "what", "files", NULL);
    if (blobs_room(s->config.blobs, 0) != ERR_OK)
        log_event(LOG_ERROR, "disk-full", "err", err_text(), NULL);
    warn_of_end("certificate", atomic_load(s->config.certificate_ends_ms), now_ms);
    warn_of_end("root statement", s->config.root_ends_ms, now_ms);
}

enum err sweep_start(const struct sweep_config *config, struct sweep **ret_sweep)
{
    struct sweep *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(ERR_NOMEM, "no memory for the sweeper");
    s->config = *config;
    enum err e = ticker_start(sweep, s, EVERY_MS, &s->ticker);
    if (e != ERR_OK) {
        free(s);
        return e;
    }
    *ret_sweep = s;
    return ERR_OK;
}

void sweep_stop(struct sweep *s)
{
    if (!s)
        return;
    ticker_stop(s->ticker);
    free(s);
}
