/* parts.h - the small pieces that several messages share: inputs, limits, variables. Strings live in the
 * caller's arena or document. */
#ifndef WIRE_PARTS_H
#define WIRE_PARTS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/json.h"

#define ENV_MAX 64

/* PROTOCOL.md; a client says it in the header Dugnad-Protocol of each /v1/work. */
#define PROTOCOL_VERSION 1

/* One input or output file. */
struct file_ref {
    const char *path;
    struct digest sha256;
    uint64_t bytes;
};

/* 0: not set. */
struct wu_limits {
    int64_t cpu_ms, wall_ms;
    uint64_t memory_bytes, disk_bytes, output_bytes;
    uint32_t processes;
};

/* An attempt by name: "7.12.0" on the wire. */
struct attempt_ref {
    wu_id unit;
    uint32_t attempt;
};

struct variable {
    const char *name, *value;
};

void limits_write(struct json_out *o, const char *key, const struct wu_limits *l);
enum err limits_read(const struct json *obj, const char *where,
                     struct wu_limits *ret) NODISCARD; /* obj NULL: all unset */
/* Where a limit of over is set it wins, then base's. */
struct wu_limits limits_merge(const struct wu_limits *base, const struct wu_limits *over);

void file_refs_write(struct json_out *o, const char *key, const struct file_ref *refs, uint32_t count);
/* A missing list is empty. Paths must be safe and different. */
enum err file_refs_read(const struct json *obj, const char *where, const char *key, uint32_t most,
                        struct arena *a, struct file_ref **ret, uint32_t *ret_count) NODISCARD;
/* A list of strings; a missing one is empty. */
enum err words_read(const struct json *obj, const char *where, const char *key, uint32_t most,
                    size_t bytes_max, struct arena *a, const char ***ret, uint32_t *ret_count) NODISCARD;
void words_write(struct json_out *o, const char *key, const char *const *words, uint32_t count);
/* An object of strings; a missing one is empty. */
enum err variables_read(const struct json *obj, const char *where, const char *key, uint32_t most,
                        struct arena *a, struct variable **ret, uint32_t *ret_count) NODISCARD;
void variables_write(struct json_out *o, const char *key, const struct variable *vars, uint32_t count);
/* The field env: names that a program can be given. */
enum err env_read(const struct json *obj, const char *where, struct arena *a, struct variable **ret,
                  uint32_t *ret_count) NODISCARD;
/* The field stdin: a safe relative path; NULL when there is none. */
enum err stdin_read(const struct json *obj, const char *where, struct arena *a, const char **ret) NODISCARD;
/* Copies a string into the arena; NULL stays NULL. ERR_NOMEM or ERR_LIMIT when there is no room. */
enum err text_keep(struct arena *a, const char *text, const char **ret) NODISCARD;
/* A string field, copied; a missing one that is not needed gives NULL. */
enum err text_read(const struct json *obj, const char *where, const char *key, size_t bytes_max, bool needed,
                   struct arena *a, const char **ret) NODISCARD;
enum err digest_read(const struct json *obj, const char *where, const char *key,
                     struct digest *ret) NODISCARD;
void attempt_ref_write(struct json_out *o, const char *key, const struct attempt_ref *id);
void digest_write(struct json_out *o, const char *key, const struct digest *d);

#endif
