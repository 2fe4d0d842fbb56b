/* release.h - the signed statement that lets hosts run one app version on one platform, with the app's
 * manifest. PROTOCOL.md 2, 6. */
#ifndef WIRE_RELEASE_H
#define WIRE_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/limits.h"
#include "wire/parts.h"

#define PLATFORM_BYTES_MAX 32
#define FEATURES_MAX       32
#define CHECKPOINTS_MAX    32

enum compare_kind { COMPARE_DIGEST, COMPARE_NUMERIC, COMPARE_VALIDATOR, COMPARE_KINDS };
enum app_class { APP_CLASS_NONE, APP_CLASS_OS, APP_CLASS_CPU, APP_CLASS_RELEASE, APP_CLASSES };

struct output_spec {
    const char *path;
    uint64_t bytes_max;
    bool optional;
};

struct manifest {
    const char *title, *summary; /* may be NULL */
    const char **entry;          /* first words of argv; entry[0] is a path inside the bundle */
    uint32_t entry_count;
    struct output_spec *outputs;
    uint32_t output_count;
    const char *stdout_path; /* standard output becomes this output; NULL: kept only as a tail for people */
    struct wu_limits limits;
    enum compare_kind compare;
    double compare_abs, compare_rel;
    const char **validator;
    uint32_t validator_count;
    enum app_class app_class;
    uint64_t needs_memory_bytes;
    const char **needs_features;
    uint32_t needs_feature_count;
    struct variable *env;
    uint32_t env_count;
    double cost; /* reference seconds of one unit; 0: not declared */
    const char **checkpoints;
    uint32_t checkpoint_count;
    bool sdk;
    const char *items;    /* output that lists the answer's items, one per line; NULL: opaque */
    const char **checker; /* entry of the verify program; NULL: none */
    uint32_t checker_count;
};

struct release {
    const char *app;
    uint32_t version;
    const char *platform;
    struct digest bundle;
    uint64_t bundle_bytes;
    struct manifest manifest;
};

const char *compare_kind_name(enum compare_kind k);
const char *app_class_name(enum app_class c);
/* The platform this program was built for: "x86_64-linux". */
const char *platform_here(void);

void manifest_write(struct json_out *o, const char *key, const struct manifest *m);
/* Everything is copied into the arena. */
enum err manifest_read(const struct json *obj, struct arena *a, struct manifest *ret) NODISCARD;
/* A manifest file as an author writes it (the manifest object alone). */
enum err manifest_parse(const char *text, size_t len, struct arena *a, struct manifest *ret) NODISCARD;
enum err release_print(const struct release *r, struct buf *out) NODISCARD;
enum err release_parse(const char *payload, size_t len, struct arena *a, struct release *ret) NODISCARD;

#endif
