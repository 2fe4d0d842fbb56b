/* str.h - reading numbers, durations, sizes, names and encodings out of text, strictly.
 * Every parser wants the whole text and refuses signs, blanks, overflow and trailing bytes with a sentence.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
enum err str_to_u64(const char *text, uint64_t max, uint64_t *ret) NODISCARD;
enum err str_to_i64(const char *text, int64_t min, int64_t max,
                    int64_t *ret) NODISCARD;                     /* a leading '-' is fine */
enum err str_to_double(const char *text, double *ret) NODISCARD; /* as in JSON: "2", "-0.5", "1e-6" */
/* Its digits; where the text ends. */
#define STR_U64_BYTES 21
char *str_from_u64(uint64_t v, char ret[STR_U64_BYTES]);
/* The shortest of 15 to 17 digits that reads back as v, in the C locale. v is finite: NaN and infinities are
 * the caller's. */
#define STR_DOUBLE_BYTES 32
void str_from_double(double v, char ret[STR_DOUBLE_BYTES]);
enum err str_to_bool(const char *text, bool *ret) NODISCARD; /* yes no true false on off 1 0 */
/* "90", "90s", "15m", "2h", "7d", "1w", "250ms", "1.5h", also sums from large to small as "1h30m"; plain
 * numbers are seconds. At most three digits after the point. */
enum err str_to_duration_ms(const char *text, int64_t *ret_ms) NODISCARD;
/* "1048576", "64K", "512M", "1.5G", "1T", "1P" (powers of 1024, k as K; "B", "iB" may follow). */
enum err str_to_bytes(const char *text, uint64_t *ret_bytes) NODISCARD;
void str_from_duration_ms(int64_t ms, char *ret, size_t room); /* "1h 30m", "4.2s", "250ms" */
void str_from_bytes(uint64_t bytes, char *ret, size_t room);   /* "1.5 GiB", "512 B" */
/* RFC 3339 in UTC with milliseconds: 2026-11-23T18:00:00.000Z. 32 bytes are enough. Reading takes
 * offsets as +02:00 and one to nine digits of a second too, and refuses leap seconds and days that are not in
 * the calendar. */
void str_from_time_ms(int64_t unix_ms, char *ret, size_t room);
enum err str_to_time_ms(const char *text, int64_t *ret_unix_ms) NODISCARD;

/* [a-z0-9][a-z0-9._-]*, at most NAME_BYTES_MAX: what apps, streams, labels and other names of ours look like.
 */
bool str_is_name(const char *text);
/* A relative path that stays below where it starts, on any system: no empty, "." or ".." part, no leading
 * '/', no backslash, no control characters, UTF-8, at most PATH_BYTES_MAX. What bundles, inputs and outputs
 * may be called. */
bool str_is_safe_path(const char *text);
bool str_is_utf8(const char *bytes, size_t len);
/* How many bytes the UTF-8 character at the start takes; 0 where there is none, and where len is 0. */
size_t str_utf8_len(const char *bytes, size_t len);
/* The one of `words` that `word` was probably meant to be, for "did you mean"; NULL when none is near. */
const char *str_nearest(const char *word, const char *const *words, size_t count);

/* Lower-case hexadecimal. ret_text needs 2*len+1. Decoding refuses upper case and any other length than len.
 */
void str_hex(const void *bytes, size_t len, char *ret_text);
enum err str_unhex(const char *text, void *ret_bytes, size_t len) NODISCARD;
/* Base64 with padding, RFC 4648 section 4; decoding is strict. */
enum err str_base64(const void *bytes, size_t len, struct buf *out) NODISCARD;
enum err str_unbase64(const char *text, size_t text_len, struct buf *out) NODISCARD;
/* Base64url without padding, RFC 4648 section 5; decoding is strict. */
enum err str_base64url(const void *bytes, size_t len, struct buf *out) NODISCARD;
enum err str_unbase64url(const char *text, size_t text_len, struct buf *out) NODISCARD;

#endif
