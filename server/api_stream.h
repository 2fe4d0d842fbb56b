/* api_stream.h - what the files of streams share: api_stream.c, api_record.c and tail.c. */
#ifndef SERVER_API_STREAM_H
#define SERVER_API_STREAM_H

#include "server/api.h"
#include "server/store_stream.h"

/* The stream of params[0], if the caller may read it: scientists have their own, viewers and operators all.
 */
enum err stream_of_call(struct call *c, struct store_stream *ret) NODISCARD;
/* The same for who changes it. */
enum err stream_to_change(struct call *c, struct store_stream *ret) NODISCARD;
/* One record as web/API.md has it, nothing of the request but its arena and store is used. times 0: not a
 * cursor's. data: small outputs too. */
enum err record_write(struct call *c, struct json_out *o, const struct store_record *r, uint32_t times,
                      bool data) NODISCARD;
/* The member's name that was given, checked, or one of the token's. */
enum err api_cursor_member(struct call *c, const char *given, const char **ret) NODISCARD;
/* Waiters of a stream are told of by this number, which is no batch's. */
static inline uint32_t stream_waiter(uint64_t stream)
{
    return (uint32_t)stream | 0x80000000u;
}
/* "streams": as items of GET /v1/streams?cursors=true, of the first STREAM_METRICS_MAX streams. */
enum err streams_write(struct call *c, struct json_out *o) NODISCARD;
/* Lines of /metrics for every cursor, STREAM_METRICS_MAX at most. */
enum err streams_print(struct call *c, struct buf *out) NODISCARD;

#endif
