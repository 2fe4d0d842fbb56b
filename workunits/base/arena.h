/* arena.h - memory that is freed all at once: one arena per request or turn, with a ceiling.
 * Zeroed is valid, with the ceiling ARENA_DEFAULT_BYTES_MAX. Allocations are zeroed and aligned for any type.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

#define ARENA_DEFAULT_BYTES_MAX (64u << 20)

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used;        /* bytes given out since the last reset */
    size_t bytes_max;   /* 0: ARENA_DEFAULT_BYTES_MAX */
    size_t block_bytes; /* taken at once; 0: 16 KiB, for a request. Few bytes that stay long want fewer */
};

void *arena_alloc(struct arena *a,
                  size_t bytes); /* NULL over the ceiling or out of memory (err_text says which) */
void *arena_array(struct arena *a, size_t count, size_t each); /* checks the product */
char *arena_text(struct arena *a, const char *text);
char *arena_bytes(struct arena *a, const void *bytes, size_t len); /* NUL-terminated copy */
void arena_reset(struct arena *a);                                 /* forgets all, keeps one block */
void arena_done(struct arena *a);

#define ARENA_AUTO __attribute__((cleanup(arena_done)))

#endif
