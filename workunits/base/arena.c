/* arena.c - see arena.h */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024 - 64, ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t room, used;
    _Alignas(ALIGN) unsigned char bytes[];
};

static struct arena_block *grow(struct arena *a, size_t bytes)
{
    size_t least = a->block_bytes ? a->block_bytes : BLOCK_BYTES;
    size_t room = bytes > least ? bytes : least;
    struct arena_block *block = malloc(sizeof *block + room);
    if (!block) {
        (void)err_set(ERR_NOMEM, "out of memory for a request's arena");
        return NULL;
    }
    block->next = a->head;
    block->room = room;
    block->used = 0;
    a->head = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t ceiling = a->bytes_max ? a->bytes_max : ARENA_DEFAULT_BYTES_MAX;
    size_t rounded = bytes ? (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (bytes > SIZE_MAX / 2 || rounded > ceiling || a->used > ceiling - rounded) {
        (void)err_set(ERR_LIMIT, "a request would use more than its limit of %zu bytes of memory", ceiling);
        return NULL;
    }
    struct arena_block *block = a->head;
    if (!block || block->room - block->used < rounded)
        block = grow(a, rounded);
    if (!block)
        return NULL;
    void *p = block->bytes + block->used;
    block->used += rounded;
    a->used += rounded;
    memset(p, 0, bytes);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t each)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, each, &bytes)) {
        (void)err_set(ERR_LIMIT, "an array of %zu items is too large", count);
        return NULL;
    }
    return arena_alloc(a, bytes);
}

char *arena_text(struct arena *a, const char *text)
{
    return arena_bytes(a, text, strlen(text));
}

char *arena_bytes(struct arena *a, const void *bytes, size_t len)
{
    char *copy = arena_alloc(a, len < SIZE_MAX ? len + 1 : len);
    if (copy && len)
        memcpy(copy, bytes, len);
    return copy;
}

void arena_reset(struct arena *a)
{
    while (a->head && a->head->next) {
        struct arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    if (a->head)
        a->head->used = 0;
    a->used = 0;
}

void arena_done(struct arena *a)
{
    if (!a)
        return;
    while (a->head) {
        struct arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->used = 0;
}
