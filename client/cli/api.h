/* api.h - talking to the project this person is logged in to. Opened on first use: the profile (or DUGNAD_URL
 * and DUGNAD_TOKEN_FILE) says where and who; the server is believed by its pins. Answers that a retry may
 * help are retried with jitter, a few times. */
#ifndef CLI_API_H
#define CLI_API_H

#include "base/buf.h"
#include "base/json.h"
#include "client/cli/cli.h"
#include "client/cli/profile.h"
#include "client/net.h"

struct api {
    struct net *net;
    struct profile profile; /* url, key, token in use */
    bool stored;            /* it came from the login file */
    bool answered;          /* the server has answered in this call: it is worth more patience */
    struct profiles *profiles;
};

enum err api_open(struct cli *c) NODISCARD; /* ERR_AUTH when nobody is logged in */
void api_close(struct cli *c);

/* One request below the server's address; body NULL: none. *ret_doc (may be NULL) is NULL for an empty reply.
 */
enum err api_send(struct cli *c, const char *method, const char *path, const struct buf *body,
                  const char *key, struct json_doc **ret_doc) NODISCARD;
enum err api_get(struct cli *c, const char *path, struct json_doc **ret_doc) NODISCARD;
/* How many units the batch has by now; 0 on failure, too. */
enum err api_batch_units(struct cli *c, const char *batch, uint64_t *ret) NODISCARD;
/* Any request, with the token, the address before its path and retries. *reply is the caller's to
 * net_reply_done(). */
enum err api_do(struct cli *c, const struct net_request *request, struct net_reply *reply) NODISCARD;
/* A fresh idempotency key. */
void api_key(char ret[33]);

/* Gets /v1/project from url without a token and proves it: by key when it is given; a zero key takes what the
 * server says, which the caller must have confirmed by a person. Fills all of ret but name and token. */
enum err api_prove(struct net *net, const char *url, const struct digest *key, struct profile *ret) NODISCARD;

/* Calls visit for every item of a paged list; path may hold a query. most 0: all. */
enum err api_pages(struct cli *c, const char *path, uint64_t most,
                   enum err (*visit)(void *ctx, const struct json *item), void *ctx) NODISCARD;

/* {"error":...} as on the wire, for --json. */
enum err api_error_json(enum err e, struct buf *out) NODISCARD;
/* Text for a path segment or query value: all but letters, digits and -._~ as %XX. */
enum err api_escape(const char *text, struct buf *out) NODISCARD;

#endif
