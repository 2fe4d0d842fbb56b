/* project.h - what this host knows of its project and believes: DATA/project.json, 0600 for the token in it.
 * The signed statements are kept as they came and proved again at every start. */
#ifndef CLIENT_PROJECT_H
#define CLIENT_PROJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/net.h"
#include "wire/link.h"
#include "wire/token.h"
#include "wire/trust.h"

#define PROJECT_ID_BYTES 17 /* the start of its key and a NUL: names may be the same, this is not */

struct project {
    char path[4096];         /* of the file */
    char url[URL_BYTES_MAX]; /* in use now; one of trust.server.urls, or the join link's */
    char token[TOKEN_TEXT_BYTES];
    char host[24], volunteer[24];
    char volunteer_token[TOKEN_TEXT_BYTES]; /* "": another host's, or not made here */
    int64_t checked_ms;                     /* Unix time of the last look at the statements */
    uint32_t url_next;
    struct trust trust;
    struct buf statements; /* the last reply of GET /v1/project that was proved */
};

void project_id(const struct project *p, char ret[PROJECT_ID_BYTES]);
void project_done(struct project *p);
/* ERR_MISSING, with the remedy, when this host has not joined. */
enum err project_load(const char *path, struct project *ret) NODISCARD;
enum err project_save(const struct project *p) NODISCARD;
/* Takes a reply of GET /v1/project in: the keys and addresses in it are believed only where the chain from
 * the project key proves them, and never older ones than before. *ret_changed: it is worth saving. */
enum err project_learn(struct project *p, const char *body, size_t len, int64_t now_ms,
                       bool *ret_changed) NODISCARD;
/* Asks the server at p->url, whoever it is, and learns. Pins are set in net. */
enum err project_ask(struct project *p, struct net *net) NODISCARD;
enum err project_use_pins(const struct project *p, struct net *net) NODISCARD;
/* Where there are several addresses: the next one. */
void project_next_url(struct project *p);

#endif
