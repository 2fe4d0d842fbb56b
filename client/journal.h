/* journal.h - what this host has promised and found out, so that a crash costs a running attempt at most and
 * never a finished answer.
 *
 * A file of lines, each "16 hexadecimal characters of its SHA-256, a blank, one JSON object"; appended, then
 * synced. A line cut off at the end of the file was never promised to anybody and is dropped; a damaged one
 * elsewhere is skipped. When most of it is of no use any more it is written anew, atomically. */
#ifndef CLIENT_JOURNAL_H
#define CLIENT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "client/outcome.h"
#include "wire/parts.h"

#define JOURNAL_BYTES_MAX      (256u << 20)
#define JOURNAL_LINE_BYTES_MAX (256u << 10)

enum journal_kind {
    JOURNAL_LEASED,   /* deadline_ms, order, release, bundle, spec: all verified */
    JOURNAL_STARTED,  /* starts */
    JOURNAL_FINISHED, /* outcome */
    JOURNAL_FORGOTTEN,
    JOURNAL_KINDS
};

struct journal_record {
    enum journal_kind kind;
    struct attempt_ref id;
    int64_t deadline_ms; /* Unix time */
    struct digest order, release, bundle;
    const char *spec;
    size_t spec_len;
    const char *audit; /* NULL: none */
    uint32_t starts;   /* how often it was begun and neither ended nor was stopped in good order */
    struct outcome outcome;
};

struct journal;
/* Opens or makes the file and calls visit for each whole record, oldest first; texts are good until visit
 * returns. ret_skipped: damaged lines. The file is the caller's alone. */
enum err journal_open(const char *path, void (*visit)(void *ctx, const struct journal_record *r), void *ctx,
                      struct journal **ret, uint32_t *ret_skipped) NODISCARD;
void journal_close(struct journal *j);
/* Not durable before journal_sync(). */
enum err journal_add(struct journal *j, const struct journal_record *r) NODISCARD;
enum err journal_sync(struct journal *j) NODISCARD;
/* It has grown enough since it was last written anew that doing it again is worth it. */
bool journal_is_long(const struct journal *j);
/* Writes it anew with what each() adds; the old one stays when anything fails. */
enum err journal_compact(struct journal *j, enum err (*each)(void *ctx, struct journal *j),
                         void *ctx) NODISCARD;

#endif
