/* standby.h - where requests of hosts wait for work: those for which there was nothing and that may wait
 * (PROTOCOL section 4, wait_ms). It knows who waits since when, and whose turn it is to look again; what
 * there is for whom, the engine says. One for each host at most. The engine's thread's alone; no clock of its
 * own.
 *
 * Who has waited longest looks first. No more look than there are attempts to send, so that a batch of two
 * units wakes two of a thousand hosts; who has looked in vain goes to the end and rests a while. What comes
 * with time alone (an attempt that is late and may be doubled, a second answer that nobody who was drawn has
 * come for) is looked for as often as the host would have called. */
#ifndef SERVER_STANDBY_H
#define SERVER_STANDBY_H

#include "server/engine.h"

#define STANDBY_REST_MS 1000 /* between two looks in vain of one host, whatever is new */

struct standby;

enum err standby_new(uint32_t seats, struct standby **ret_standby) NODISCARD;
void standby_free(struct standby *l); /* nobody may wait in it any more; NULL is fine */

uint32_t standby_count(const struct standby *l);
bool standby_has_room(const struct standby *l);

/* A work request that was answered: may it wait, and does its host want to? */
bool standby_may_wait(const struct engine_request *r);
/* Keeps a request that may wait, first or again: its reply is as if it had asked at now_ms. False when there
 * is no room or its time is over: then it is to be answered. */
bool standby_keep(struct standby *l, struct engine_request *r, const struct engine_outlook *o,
                  int64_t now_ms) NODISCARD;
/* Takes out who is to look again now, at most `most`; returns how many. */
uint32_t standby_wake(struct standby *l, const struct engine_outlook *o, int64_t now_ms,
                      struct engine_request **ret, uint32_t most);
/* Takes out whose time is over, and whose host has hung up. */
uint32_t standby_end(struct standby *l, int64_t now_ms, struct engine_request **ret, uint32_t most);
/* Takes out the host's earlier request, as it asks anew; NULL when it has none. */
struct engine_request *standby_leave(struct standby *l, uint64_t host_id);

#endif
