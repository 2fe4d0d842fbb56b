/* engine_trust.h - what the engine holds of one host as runner of one app version; engine_*.c alone. */
#ifndef SERVER_ENGINE_TRUST_H
#define SERVER_ENGINE_TRUST_H

#include "rules/trust.h"

struct trust_mem {
    struct trust_mem *next;
    uint64_t app;
    struct host_trust trust;
    bool changed;
    int64_t counted_ms; /* in its app's crowd of then */
    bool was_trusted;
    uint32_t count, room;
    struct escrow_entry
        *entries;   /* by seq; one that is neither open nor held is over, and goes at the write */
    uint8_t *marks; /* of each entry: stored, changed */
};

struct trust_crowd { /* of the hosts that ran an app lately */
    uint64_t app;
    int64_t since_ms; /* this hour, and the one before */
    uint32_t hosts, trusted, hosts_before, trusted_before;
};
enum { CROWDS_MAX = 64 }; /* apps that are told apart; the last one's place is taken in turns */

struct trust_todo { /* an event that follows from what has happened to another unit */
    wu_id unit;
    enum wu_event_kind kind;
    uint32_t count;   /* CONFIRM, AUDIT */
    uint64_t host_id; /* VOID: whose answer */
};

#endif
