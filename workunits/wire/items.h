/* items.h - the list of an answer's items, and which of them an audit recomputes. PROTOCOL.md section 6.
 *
 * The list is an output of the app (`items` of its manifest): a first line "items TOTAL", then one line
 * "INDEX<tab>TEXT" for each item, by index. A whole list has them all; an audit's has those that it was asked
 * for, or more. The host has committed to all of them by the digest of its answer before anybody knows which
 * ones are drawn. */
#ifndef WIRE_ITEMS_H
#define WIRE_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ITEMS_MAX         1000000u
#define ITEMS_BYTES_MAX   (64u << 20)
#define AUDIT_TEXT_BYTES  32 /* of an audit as text, with its NUL */
#define AUDIT_ENVIRONMENT "DUGNAD_AUDIT"

/* Which items are wanted: a share drawn from a seed, and always one; or one alone. */
struct audit {
    uint64_t seed;
    uint32_t share_ppm; /* 1..1000000 */
    bool one;           /* only item `seed` */
};

/* "SEED:PPM" with 16 lower-case hexadecimal digits, or "only:INDEX". */
void audit_text(const struct audit *a, char ret[AUDIT_TEXT_BYTES]);
enum err audit_parse(const char *text, struct audit *ret) NODISCARD;
/* Is item i of total wanted? The same rule as dugnad_item_wanted() of the SDK:
 * mix(seed + i * 0x9E3779B97F4A7C15) mod 1000000 < share, or i = mix(seed) mod total; mix is the finalizer of
 * splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
bool audit_wants(const struct audit *a, uint64_t i, uint64_t total);

/* Walks a list; the text must live as long. */
struct items {
    const char *at, *end;
    uint64_t total, next; /* next: the least index that may come */
};
/* Reads the first line. ERR_INVALID for what is no list, or names more than ITEMS_MAX. */
enum err items_begin(struct items *list, const char *text, size_t len) NODISCARD;
/* The next item; *ret_any is false at the end. ERR_INVALID for a line that is none, or out of order. */
enum err items_next(struct items *list, bool *ret_any, uint64_t *ret_index, const char **ret_text,
                    size_t *ret_len) NODISCARD;

enum items_verdict { ITEMS_SAME, ITEMS_DIFFERENT, ITEMS_UNUSABLE_ANSWER, ITEMS_UNUSABLE_AUDIT };
/* Holds an audit's list against an answer's: the answer's must be whole, the audit's must have all that was
 * wanted; *ret_index is the first item in which they differ (or both totals do: UINT64_MAX). */
enum items_verdict items_compare(const struct audit *a, const char *answer, size_t answer_len,
                                 const char *audit, size_t audit_len, uint64_t *ret_index);

#endif
