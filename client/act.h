/* act.h - the daemon's hands: does what plan/ says and tells it what came of it. One thread; nothing here
 * waits for the network or a program. */
#ifndef CLIENT_ACT_H
#define CLIENT_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "client/host.h"
#include "client/net.h"
#include "client/plan/plan.h"
#include "client/plan/share.h"
#include "client/project.h"
#include "client/settings.h"
#include "run/run.h"

#define ACT_FDS_MAX 200 /* of runs */

struct act;

/* What the projects of one host share, of house.h; it lives as long. */
struct act_host {
    struct settings settings; /* may change: act_settings_changed() */
    struct host host;
    struct net *net;
    char groups[RUN_GROUPS_ROOM]; /* control groups of the runs; "": none */
};

/* One project's part of the data folder: its journal, cache, slots and answers. What a crash has left is
 * taken up. host and project stay the caller's and must live as long. */
enum err act_open(const char *folder, struct act_host *host, struct project *project,
                  struct act **ret) NODISCARD;
/* Stops what runs, keeps what must not be lost. */
void act_close(struct act *a);

/* Looks after the runs and the plan's clock; call it after every wait. */
void act_turn(struct act *a);
/* How long the loop may wait; -1: until something happens. */
int act_wait_ms(const struct act *a);
/* Descriptors to wait for besides net's: of runs. */
uint32_t act_fds(const struct act *a, int ret[ACT_FDS_MAX]);
/* It has ended what it was to do: all is finished, left, or stopped. */
bool act_wants_exit(const struct act *a);
/* The server has been told that this host leaves. */
bool act_has_left(const struct act *a);

/* What the owner asks for. */
void act_pause(struct act *a, int64_t for_ms); /* 0: until resumed */
void act_resume(struct act *a);
void act_finish(struct act *a);
void act_leave(struct act *a);
/* The daemon is to end: programs that know how are asked to keep what they have, for a few seconds at most.
 * act_wants_exit() when that is over. */
void act_halt(struct act *a);

/* What the PC lets all work do, and what of it is this project's. Unchanged, nothing happens. */
struct act_allowance {
    uint32_t cores; /* of all projects, now; 0: none, and why says why */
    uint32_t cores_given;
    double part;
    uint64_t memory_bytes;
    const char *why;     /* of nobody's after the call */
    const char *offline; /* why the network is left alone, as long as why; "": it is not */
    bool memory_short;   /* what stands still and can go on later leaves memory */
};
void act_allow(struct act *a, const struct act_allowance *allowance);
/* host->settings or host->host are others now. */
void act_settings_changed(struct act *a);
/* For share.h: all but weight and used_s. */
void act_demand(const struct act *a, uint32_t cores, struct share_project *ret);
uint64_t act_memory_used(const struct act *a);
int64_t act_cpu_ms(const struct act *a); /* of all its runs so far */
bool act_is_idle(const struct act *a);   /* nothing in the house */

/* What ended since the last call. */
struct act_tally {
    uint32_t ok, bad;
    int64_t cpu_ms;
};
struct act_tally act_take_tally(struct act *a);

/* The fields of a JSON object: state, sentence, ... */
void act_status(struct act *a, struct json_out *o);
/* Each of what runs as an object of the array that is open. */
void act_status_running(struct act *a, struct json_out *o);
const char *act_project_name(const struct act *a);

#endif
