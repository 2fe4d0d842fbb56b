/* flight.h - what a cursor has handed out and nobody has acknowledged: runs of records, each leased to one
 * member of the cursor's group until a moment. Pure: no store, no clock. */
#ifndef SERVER_FLIGHT_H
#define SERVER_FLIGHT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

struct flight_run {
    uint64_t first, last;
    int64_t until_ms; /* then it may be handed to another; 0: at once */
    uint32_t times;   /* handed out so often */
    char member[NAME_BYTES_MAX + 1];
};

/* In order, without overlaps. Zeroed is valid and empty. */
struct flight {
    uint32_t count;
    struct flight_run runs[STREAM_LEASES_MAX];
};

/* The text in which a flight is stored: a line for each run. */
enum err flight_write(const struct flight *f, struct buf *out) NODISCARD;
enum err flight_read(const char *text, size_t len, struct flight *ret) NODISCARD; /* ERR_CORRUPT */

uint64_t flight_records(const struct flight *f);
/* All records up to this one are acknowledged, when those up to `handed` were handed out. */
uint64_t flight_acked(const struct flight *f, uint64_t handed);
/* The run that ends right before this record; NULL: it is acknowledged, or there is none. */
const struct flight_run *flight_before(const struct flight *f, uint64_t first);
/* When the next run's time is over, of those whose is not; INT64_MAX: never. */
int64_t flight_next_ms(const struct flight *f, int64_t now_ms);
/* Leases new records, which come after all others. ERR_FULL when there are too many runs. */
enum err flight_add(struct flight *f, const struct flight_run *run) NODISCARD;
/* Leases the start of a run (of this flight) again, up to `last`; what is left of it stays as it was.
 * ERR_FULL as above. */
enum err flight_again(struct flight *f, struct flight_run *run, uint64_t last, const char *member,
                      int64_t until_ms) NODISCARD;
/* Takes records from..to out; only those of a member (NULL: whoever's). Returns how many there were, in
 * *ret_count. ERR_FULL: a run would have to be parted and there are too many: nothing is changed. */
enum err flight_ack(struct flight *f, const char *member, uint64_t from, uint64_t to,
                    uint64_t *ret_count) NODISCARD;
/* A record that its member gives back: for whoever asks after until_ms. Nothing happens when it is not out.
 * ERR_FULL as above. */
enum err flight_back(struct flight *f, uint64_t seq, int64_t until_ms) NODISCARD;
/* Moves the end of those runs of a member that hold a record of first..last. */
void flight_renew(struct flight *f, const char *member, uint64_t first, uint64_t last, int64_t until_ms);

#endif
