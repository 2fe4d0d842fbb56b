/* project.h - the project's identity: its chain of root statements, its online work key, and what
 * GET /v1/project says of it. In DATA: root/1.json, root/2.json, ... (envelopes), keys/work.pem. */
#ifndef SERVER_PROJECT_H
#define SERVER_PROJECT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "server/settings.h"
#include "wire/envelope.h"

#define PROJECT_ROOT_VALID_MS   (3ll * 365 * 86400000)
#define PROJECT_SERVER_VALID_MS (30ll * 86400000)

struct project;

struct project_keys { /* how many of each kind init makes */
    uint32_t release_keys, release_threshold;
};

/* Makes keys and version 1 of the root: root/1.json and keys/work.pem in the data folder, and in `offline`
 * root.pem, release.pem (release-2.pem, ...), which belong on paper or a stick, not on the server. */
enum err project_make(const char *data, const char *offline, const char *name,
                      const struct project_keys *keys, int64_t now_ms,
                      struct digest *ret_project_key) NODISCARD;
/* pin: of the server's certificate. Proves the whole chain; ERR_UNTRUSTED where it does not hold. */
enum err project_open(const char *data, const struct settings *settings, const char *pin, int64_t now_ms,
                      struct project **ret_project) NODISCARD;
void project_close(struct project *p); /* NULL is fine */
const struct digest *project_key(const struct project *p);
const char *project_name(const struct project *p);
const struct key_set *project_release_keys(const struct project *p);
int64_t project_root_expires_ms(const struct project *p);
/* The reply of GET /v1/project; signs a new server statement when the last one is a day old. Any thread. */
enum err project_write(struct project *p, int64_t now_ms, struct buf *out) NODISCARD;
/* A new certificate is served. Any thread. */
void project_set_pin(struct project *p, const char *pin);
/* https://HOST:PORT/join#k=KEY, with the invitation's secret unless NULL. */
enum err project_join_link(const struct project *p, const char *invitation, struct buf *out) NODISCARD;
/* For engine_config.sign_units; ctx is the project. */
enum err project_sign_units(void *ctx, uint32_t batch, const struct digest *order, uint32_t first,
                            uint32_t count, const struct digest *root, struct buf *out) NODISCARD;
/* Adds an envelope of the type around the payload, signed with the work key. */
enum err project_sign(const struct project *p, const char *type, const struct buf *payload,
                      struct buf *out) NODISCARD;
/* A secret that all servers of the project share and nobody else can make: SHA-256 of the work key's
 * (deterministic) signature of a text that is signed for nothing else. Draws audits
 * (engine_config.audit_key). */
/* The secret that proves who made a challenge (challenge.h). */
enum err project_challenge_key(const struct project *p, struct digest *ret) NODISCARD;
enum err project_audit_key(const struct project *p, struct digest *ret) NODISCARD;

#endif
