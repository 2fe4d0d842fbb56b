/* tail.h - streams as server-sent events: each connection has a place of its own, and is given as much as it
 * takes; one that is slow holds up nobody, and one that comes back goes on after its Last-Event-ID. */
#ifndef SERVER_TAIL_H
#define SERVER_TAIL_H

#include "server/http.h"
#include "server/store.h"

#define TAILS_MAX 256

struct tails;

/* The store is a reader, this thread's alone until tails_stop(). */
enum err tails_start(struct store *store, struct tails **ret_tails) NODISCARD;
/* Answers the request with the records after `after` and all that come. ERR_BUSY when too many listen. */
enum err tails_add(struct tails *t, struct http_request *request, uint64_t stream, uint64_t after) NODISCARD;
void tails_wake(struct tails *t); /* some stream has new records; any thread, quick */
void tails_stop(struct tails *t); /* ends them; NULL is fine */

#endif
