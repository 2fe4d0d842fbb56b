/* timetable.h - submits what is scheduled when its time has come. A thread of its own.
 *
 * A firing has the idempotency key "schedule-ID-TIME", so that it gives one batch, whatever breaks in
 * between. Of firings that were missed (the server was down, the schedule paused) one is made up for. */
#ifndef SERVER_TIMETABLE_H
#define SERVER_TIMETABLE_H

#include "base/err.h"
#include "server/store.h"

struct server;
struct timetable;

/* store: a reader, this thread's alone until timetable_stop(). */
enum err timetable_start(struct server *server, struct store *store,
                         struct timetable **ret_timetable) NODISCARD;
void timetable_stop(struct timetable *t); /* NULL is fine */

#endif
