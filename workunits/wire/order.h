/* order.h - what all units of a batch share, what one unit adds, and how a host proves that both come from
 * the project. PROTOCOL.md section 2. */
#ifndef WIRE_ORDER_H
#define WIRE_ORDER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/merkle.h"
#include "wire/envelope.h"
#include "wire/parts.h"
#include "wire/release.h"

#define ORDER_RELEASES_MAX 16
#define VARIABLES_MAX      64

struct order {
    struct digest project_key;
    uint32_t batch;
    const char *app;
    uint32_t version;
    struct digest *releases;
    uint32_t release_count;
    const char **command;
    uint32_t command_count;
    struct file_ref *inputs;
    uint32_t input_count;
    const char *stdin_path; /* an input that becomes standard input; NULL: none */
    struct wu_limits limits;
    struct variable *env;
    uint32_t env_count;
};

struct spec {
    wu_id unit;
    struct variable *vars;
    uint32_t var_count;
    struct file_ref *inputs;
    uint32_t input_count;
};

/* The statement that a work key signs for each chunk of a batch's units. */
struct units_statement {
    struct digest project_key;
    uint32_t batch;
    struct digest order;
    uint32_t first, count;
    struct digest root; /* Merkle root over the specs' exact texts */
};

enum err order_print(const struct order *order, struct buf *out) NODISCARD;
enum err order_parse(const char *text, size_t len, struct arena *a, struct order *ret) NODISCARD;
enum err spec_print(const struct spec *spec, struct buf *out) NODISCARD;
enum err spec_parse(const char *text, size_t len, struct arena *a, struct spec *ret) NODISCARD;
/* The spec of an array's unit, vars[""] = value, without building anything: for making millions. */
enum err spec_print_number(wu_id unit, int64_t value, struct buf *out) NODISCARD;
enum err units_statement_print(const struct units_statement *s, struct buf *out) NODISCARD;
enum err units_statement_parse(const char *payload, size_t len, struct units_statement *ret) NODISCARD;

/* Fills {NAME} in one word. ERR_INVALID for a name without a variable or a lone brace. */
enum err template_fill(const char *word, const struct variable *vars, uint32_t var_count,
                       struct buf *out) NODISCARD;
/* Every {NAME} of the words has a variable among vars, and braces are paired. */
enum err template_check(const char *const *words, uint32_t word_count, const struct variable *vars,
                        uint32_t var_count) NODISCARD;

/* What a host got for one unit; texts are exact bytes. */
struct unit_proof {
    const char *spec;
    size_t spec_len;
    const char *chunk; /* envelope of the units statement */
    size_t chunk_len;
    uint32_t index; /* of the unit within its chunk */
    const struct digest *path;
    uint32_t path_len;
    wu_id unit; /* that the attempt's id names */
};
/* Everything short of the release: the units statement has a good work signature of this project, the spec is
 * a leaf of its root at that index and is of that unit, *ret_order is the digest the order must have.
 * ret_spec lives in the arena. ERR_UNTRUSTED otherwise. */
enum err unit_verify(const struct unit_proof *proof, const struct key_set *work_keys,
                     const struct digest *project_key, struct arena *a, struct spec *ret_spec,
                     struct digest *ret_order) NODISCARD;

#endif
