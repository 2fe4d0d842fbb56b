/* trust.h - what a host or a person's command line believes of a project: the chain of root statements that
 * starts at the project key, and the server statement under it. See PROTOCOL.md section 2. */
#ifndef WIRE_TRUST_H
#define WIRE_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "wire/envelope.h"

#define ROOT_VERSIONS_MAX 1024 /* versions walked at once */
#define SERVER_URLS_MAX   8
#define SERVER_PINS_MAX   8
#define URL_BYTES_MAX     256
#define PIN_TEXT_BYTES    45 /* base64 of 32 bytes and a NUL */

struct root_statement {
    char project[NAME_BYTES_MAX + 1]; /* the project's name */
    uint32_t version;
    int64_t issued_ms, expires_ms;
    struct key_set root, release, work;
};

struct server_statement {
    struct digest project_key;
    int64_t issued_ms, expires_ms;
    uint32_t url_count, pin_count;
    char urls[SERVER_URLS_MAX][URL_BYTES_MAX];
    char pins[SERVER_PINS_MAX][PIN_TEXT_BYTES]; /* SHA-256 of a SubjectPublicKeyInfo, base64 */
};

enum err root_print(const struct root_statement *root, struct buf *out) NODISCARD;
enum err root_parse(const char *payload, size_t len, struct root_statement *ret) NODISCARD;
enum err server_statement_print(const struct server_statement *s, struct buf *out) NODISCARD;
enum err server_statement_parse(const char *payload, size_t len, struct server_statement *ret) NODISCARD;

struct trust {
    struct digest project_key;
    bool has_root, has_server;
    struct root_statement root; /* the newest version that was proved */
    struct server_statement server;
};

void trust_init(struct trust *t, const struct digest *project_key);
/* Takes a root envelope: the first must be version 1 or any later version that the project key's chain proves
 * in order; each next one exactly one version up, signed by the thresholds of the present root keys and of
 * its own. A version not above the present one is ERR_STALE and changes nothing. */
enum err trust_add_root(struct trust *t, const char *envelope, size_t len) NODISCARD;
/* The present root must not have expired; a server statement issued before the known one is ERR_STALE. */
enum err trust_add_server(struct trust *t, const char *envelope, size_t len, int64_t now_ms) NODISCARD;
/* ERR_UNTRUSTED when there is no root yet or it has expired. */
enum err trust_check(const struct trust *t, int64_t now_ms) NODISCARD;
/* Everything in the reply of GET /v1/project that concerns trust, in order. Unchanged on failure. */
enum err trust_add_project(struct trust *t, const char *body, size_t len, int64_t now_ms) NODISCARD;

#endif
