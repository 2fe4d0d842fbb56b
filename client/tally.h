/* tally.h - what this computer has given, hour by hour, for its owner to see: DATA/history.json. It is told
 * to nobody; losing the last minutes of it in a crash harms nothing. */
#ifndef CLIENT_TALLY_H
#define CLIENT_TALLY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TALLY_HOURS_MAX 800 /* kept; those without work take no place */

struct tally;
/* A file that cannot be read is begun anew. */
enum err tally_open(const char *path, struct tally **ret) NODISCARD;
void tally_close(struct tally *t); /* and saves; NULL is fine */
void tally_add(struct tally *t, int64_t wall_ms, uint32_t ok, uint32_t bad, int64_t cpu_ms);
/* What the network has moved; little of it waits for more, so that an idle computer's disk may sleep. */
void tally_add_moved(struct tally *t, int64_t wall_ms, uint64_t bytes);
uint64_t tally_moved_since(const struct tally *t, int64_t wall_ms);
/* Writes the file when there is something new and it was not written for a while. */
void tally_save(struct tally *t, int64_t mono_ms);
enum err tally_write(const struct tally *t, struct buf *out) NODISCARD;

#endif
