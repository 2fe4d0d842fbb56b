/* proof.h - provenance files and receipts, checked offline: the project's root statement, signatures of its
 * work key, digests of lines, histories replayed, digests of answers. PROTOCOL.md section 7. */
#ifndef CLI_PROOF_H
#define CLI_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"

#define PROOF_BYTES_MAX (1u << 30)

struct proof {
    struct digest key; /* of the project; given, or what the file says */
    bool key_given, is_receipt, complete;
    char project[NAME_BYTES_MAX + 1], app[NAME_BYTES_MAX + 1];
    char batch[24], host[24], volunteer[24];
    uint64_t credit_micro, valid;
    uint64_t units, accepted, attempts, audits;
    uint64_t files_wanted, files_found;
};

/* How many lines follow the statement of a page, and is it the last one? Unchecked. */
enum err proof_page_peek(const char *page, size_t len, uint32_t *ret_count, bool *ret_last) NODISCARD;
/* results: a folder with downloaded answers, or NULL. ERR_UNTRUSTED where a signature does not hold,
 * ERR_CORRUPT where the file contradicts itself. */
enum err proof_verify(const char *path, const char *results, struct proof *p) NODISCARD;

#endif
