/* http_in.h - what the http*.c files share. */
#ifndef SERVER_HTTP_IN_H
#define SERVER_HTTP_IN_H

#include <microhttpd.h>

#include "server/http.h"
#include "server/http_loop.h"

struct MHD_Connection *http_connection(const struct http_request *r);
/* How the request's connection is woken, zero times asleep so far. */
void http_sleeper_init(const struct http_request *r, struct http_sleeper *ret);
/* The reply, which is taken over; has_body: it is there already and follows the head at once. */
void http_answer(struct http_request *r, int status, struct MHD_Response *response, bool has_body);

#endif
