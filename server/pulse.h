/* pulse.h - how the project does, sampled every two seconds: for the console's live numbers and plots, and
 * for saying whether all is well. A thread of its own; minutes are kept over restarts in DATA/history.ndjson.
 */
#ifndef SERVER_PULSE_H
#define SERVER_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "rules/admit.h"
#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/http.h"
#include "server/pulse_history.h"
#include "server/store.h"

#define PULSE_LISTENERS_MAX 200
#define PULSE_HOURS_MAX     720

struct pulse;

struct pulse_config {
    struct store *store; /* a reader, the pulse's alone until pulse_stop() */
    struct engine_thread *engine;
    const struct blobs *blobs;
    const char *data, *project;
    int64_t root_ends_ms;
    int64_t stalled_ms; /* nothing was validated for so long though work waits and hosts call: not ready */
    uint32_t queue_max; /* of the engine */
};

enum err pulse_start(const struct pulse_config *config, struct pulse **ret_pulse) NODISCARD;
void pulse_stop(struct pulse *p); /* ends the event streams too; NULL is fine */
/* The newest state, as the fields of an open object (web/API.md section 3). Any thread. */
void pulse_write(struct pulse *p, struct json_out *o);
/* The counters per minute of the last hours, as the items of an open list; at most 720 of them. */
void pulse_history(struct pulse *p, uint32_t hours, struct json_out *o);
/* What the project shows of itself, as fields of an open object. */
void pulse_showcase(struct pulse *p, struct json_out *o);
/* Pushes every new state to the stream until it is gone. ERR_BUSY when too many listen. */
enum err pulse_listen(struct pulse *p, struct http_request *request) NODISCARD;
/* What keeps the server from being ready, or from being well, as the items of an open list of texts; false
 * when there is something. */
bool pulse_reasons(struct pulse *p, struct json_out *o);
struct pulse_view { /* how it stands now, for whoever watches over it */
    int64_t time_ms, units_open;
    int64_t hosts_hour, hosts_day;   /* that called within it */
    int64_t errors_hour, ended_hour; /* attempts */
    int64_t silence_ms;              /* since a unit was accepted last while some wait; 0: none wait */
    uint64_t disk_free, disk_all;
    bool ready;
    double load;       /* of the busiest part, from ADMIT_AMBER on; below: 0 */
    char busy[120];    /* which part, as a sentence's half; "" below */
    char stopped[200]; /* the version of an app that was stopped by itself, and why; or "" */
    char reason[320];  /* the first of what is not well, or "" */
};
void pulse_view(struct pulse *p, struct pulse_view *ret);
/* What the 24 hours from from_ms on have brought. */
void pulse_day(struct pulse *p, int64_t from_ms, struct pulse_day *ret);
/* How busy the server was over the last minute or so. */
struct admit_load pulse_load(struct pulse *p);
/* Client versions of the hosts that called within a day, as the items of an open list, most hosts first. */
void pulse_versions(struct pulse *p, struct json_out *o);
/* Likewise, by the newest version of the protocol that they speak. */
void pulse_protocols(struct pulse *p, struct json_out *o);

#endif
