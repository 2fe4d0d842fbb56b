/* answer.h - the manifest of an answer, whose SHA-256 is the answer's digest: equal digests are equal
 * answers. PROTOCOL.md section 4. */
#ifndef WIRE_ANSWER_H
#define WIRE_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/parts.h"

/* The manifest's exact text, outputs sorted by path; ERR_INVALID for a path given twice or unsafe. Sorts refs
 * in place. */
enum err answer_print(struct file_ref *outputs, uint32_t count, struct buf *out) NODISCARD;
enum err answer_parse(const char *text, size_t len, struct arena *a, struct file_ref **ret,
                      uint32_t *ret_count) NODISCARD;
enum err answer_digest(struct file_ref *outputs, uint32_t count, struct digest *ret) NODISCARD;

#endif
