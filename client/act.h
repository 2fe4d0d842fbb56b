/* act.h - the daemon's hands: does what plan/ says and tells it what came of it. One thread; nothing here
 * waits for the network or a program. */
#ifndef CLIENT_ACT_H
#define CLIENT_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/host.h"
#include "client/net.h"
#include "client/plan/plan.h"
#include "client/project.h"
#include "client/settings.h"

#define ACT_FDS_MAX 200 /* of runs */

struct act;

/* Everything of the host's data folder except its lock and its control socket. What a crash has left is taken
 * up. project and settings stay the caller's and must live as long. */
enum err act_open(const char *folder, const struct settings *settings, struct project *project,
                  struct act **ret) NODISCARD;
/* Stops what runs, keeps what must not be lost. */
void act_close(struct act *a);

/* Looks after the runs and the plan's clock; call it after every wait. */
void act_turn(struct act *a);
/* How long the loop may wait; -1: until something happens. */
int act_wait_ms(const struct act *a);
/* Descriptors to wait for besides net's: of runs. */
uint32_t act_fds(const struct act *a, int ret[ACT_FDS_MAX]);
struct net *act_net(struct act *a);
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
/* A JSON object: {"state","sentence",...}. */
enum err act_status(struct act *a, struct buf *out) NODISCARD;

#endif
