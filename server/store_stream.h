/* store_stream.h - named streams: their records, the cursors that read them, and where batches' answers go.
 *
 * A record is a reference to a unit's answer, or a small text that was published; its numbers are 1.. within
 * its stream, without holes, in the order of the commits. Reading is as in store.h, writing as in
 * store_set.h. */
#ifndef SERVER_STORE_STREAM_H
#define SERVER_STORE_STREAM_H

#include "base/limits.h"
#include "server/store_set.h"

struct store_stream {
    uint64_t id;
    const char *name; /* "" of one that is deleted and being cleared */
    uint64_t user_id; /* who named it first */
    bool paused;      /* nothing is handed to cursors */
    int64_t created_ms;
    uint64_t last;   /* number of the newest record, 0: none yet */
    uint64_t purged; /* records up to this one are gone */
};

struct store_record {
    uint64_t stream, seq;
    wu_id unit;           /* 0: published */
    struct digest answer; /* zero: published */
    const char *group;    /* neighbours of one group are never parted; "": of none. An answer's is its unit */
    struct text body;
    int64_t at_ms;
};
/* Are they of one group? */
bool store_record_tied(const struct store_record *a, const struct store_record *b);

struct store_cursor {
    uint64_t stream;
    const char *name;
    uint32_t rev;
    uint64_t handed;      /* records up to this one were handed out */
    uint64_t redelivered; /* handed out again, in records, ever */
    struct text flight;   /* those of them that are not acknowledged, see flight.h */
    uint32_t batch;       /* it feeds this batch; 0: none */
    uint64_t feed_max;    /* so many records are taken, 0: all that come */
    uint32_t until_batch; /* and until this batch has finished; 0: until the fed one is closed */
    int64_t seen_ms, created_ms;
};

/* --- reading --- */

enum err store_stream_find(struct store *s, struct arena *a, const char *name,
                           struct store_stream *ret) NODISCARD;
enum err store_stream_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                           struct store_stream **ret,
                           uint32_t *ret_count) NODISCARD; /* by id, deleted ones too */
enum err store_record_list(struct store *s, struct arena *a, uint64_t stream, uint64_t after_seq,
                           uint32_t limit, struct store_record **ret,
                           uint32_t *ret_count) NODISCARD; /* by seq */
/* The same without copies: what the row points to lives during the call. */
struct store_record_rows {
    enum err (*row)(void *ctx, const struct store_record *record);
    void *ctx;
};
enum err store_record_scan(struct store *s, uint64_t stream, uint64_t after_seq, uint32_t limit,
                           struct store_record_rows to) NODISCARD;
enum err store_cursor_get(struct store *s, struct arena *a, uint64_t stream, const char *name,
                          struct store_cursor *ret) NODISCARD;
enum err store_cursor_list(struct store *s, struct arena *a, uint64_t stream, const char *after,
                           uint32_t limit, struct store_cursor **ret,
                           uint32_t *ret_count) NODISCARD; /* by name */
enum err store_cursor_feeding(struct store *s, struct arena *a, uint32_t after_batch, uint32_t limit,
                              struct store_cursor **ret, uint32_t *ret_count) NODISCARD; /* by batch */
/* The streams that a batch names, at most BATCH_STREAMS_MAX. */
enum err store_route_list(struct store *s, struct arena *a, uint32_t batch, const char ***ret_names,
                          uint32_t *ret_count) NODISCARD;

/* --- writing --- */

void store_set_stream_new(struct store_set *set, const struct store_stream *st);
void store_set_stream_paused(struct store_set *set, uint64_t id, bool paused);
void store_set_stream_gone(struct store_set *set, uint64_t id); /* takes its name away */
void store_set_stream_purged(struct store_set *set, uint64_t id, uint64_t purged);
void store_set_stream_end(struct store_set *set, uint64_t id);
void store_set_record(struct store_set *set, const struct store_record *r); /* seq is given when written */
void store_set_record_end(struct store_set *set, uint64_t stream, uint64_t seq);
void store_set_cursor_new(struct store_set *set, const struct store_cursor *c);
/* handed, redelivered, flight, seen; rev is what was read. */
void store_set_cursor(struct store_set *set, const struct store_cursor *c);
void store_set_cursor_end(struct store_set *set, uint64_t stream, const char *name);
void store_set_route(struct store_set *set, uint32_t batch, uint32_t place, const char *name);

#endif
