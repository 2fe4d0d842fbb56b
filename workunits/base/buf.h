/* buf.h - a growing array of bytes with a ceiling. Zeroed is valid and empty, with the ceiling
 * BUF_DEFAULT_BYTES_MAX. data is NUL-terminated (the NUL not counted) whenever it is not NULL. A failed call
 * leaves the content as it was. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BUF_DEFAULT_BYTES_MAX (64u << 20)

struct buf {
    char *data;
    size_t len;
    size_t room;
    size_t bytes_max; /* 0: BUF_DEFAULT_BYTES_MAX */
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_done(struct buf *b);  /* frees; b is zeroed and usable again; NULL is fine */
void buf_clear(struct buf *b); /* forgets the content, keeps the memory */
enum err buf_reserve(struct buf *b, size_t more) NODISCARD;
enum err buf_add(struct buf *b, const void *bytes, size_t len) NODISCARD;
enum err buf_add_text(struct buf *b, const char *text) NODISCARD;
enum err buf_add_char(struct buf *b, char c) NODISCARD;
enum err buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3) NODISCARD;
/* Gives the memory away (free() it) and leaves b empty. Never NULL on success of earlier calls; "" for an
 * empty b (NULL only when out of memory). */
char *buf_take(struct buf *b);
/* "" instead of NULL. */
const char *buf_text(const struct buf *b);

#define BUF_AUTO __attribute__((cleanup(buf_done)))

#endif
