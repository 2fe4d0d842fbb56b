/* engine_trust.h - what the engine holds of one host as runner of one app version; engine_*.c alone. */
#ifndef SERVER_ENGINE_TRUST_H
#define SERVER_ENGINE_TRUST_H

#include "rules/trust.h"

struct trust_mem {
    struct trust_mem *next;
    uint64_t app;
    struct host_trust trust;
    struct host_trust was; /* as stored */
    bool changed, stored;
    bool ripens; /* it is noted to look which of the entries are ripe */
    uint32_t count, room;
    struct escrow_entry
        *entries;   /* by seq; one that is neither open nor held is over, and goes at the write */
    uint8_t *marks; /* of each entry: stored, changed */
};

/* Of the hosts that asked lately for an app's work of one probation: what is trusted in a lax batch is not in
 * a strict one, and where no host is put on probation (0) none is trusted or not. Each host is a bit, so that
 * one that is forgotten and loaded again, as after each turn where several servers share the store, is not
 * two. Of tens of thousands some share a bit: a few too few are counted. */
enum { CROWD_SHIFT = 14, CROWD_WORDS = (1 << CROWD_SHIFT) / 64 };
enum { FURTHEST_MAX = 8 };
struct trust_far { /* a host that is there, and has so many answers confirmed */
    uint64_t host_id;
    uint32_t answers;
    int64_t at_ms;
};
struct trust_crowd {
    uint64_t app;
    uint32_t probation;
    bool guessed; /* hosts_before is of the whole project: those that will ask have not all asked yet */
    bool known;   /* enough trusted hosts are on record, or ask other servers, whoever has asked here yet */
    int64_t since_ms; /* this hour, and the one before */
    int64_t read_ms;  /* when other servers' hosts were looked for */
    int64_t asked_ms; /* when one that is trusted has asked for anything */
    uint32_t hosts, trusted, hosts_before, trusted_before;
    struct trust_far furthest[FURTHEST_MAX];
    int64_t silent_ms; /* the median host, as of rules/trust.h; negative: not known */
    bool asked;        /* since that was found out last */
    uint64_t is_host[CROWD_WORDS], was_host[CROWD_WORDS], is_trusted[CROWD_WORDS];
};
enum { CROWDS_MAX = 128 }; /* that are told apart; the last one's place is taken in turns */

enum { ABSENT_MS = 600000 }; /* twice as long as the longest that a client which is there stays away */

struct trust_leave { /* of one host, for one batch */
    bool may_check;
    bool trusted;    /* it is one of those that check newcomers */
    bool attended;   /* those who check newcomers ask, and are waited for */
    uint32_t begins; /* so many new units it may begin */
    uint32_t crowd;  /* hosts that ask for this app's work; 0: the owner's own, of whom nobody is drawn */
    int64_t draw_ms; /* trust_draw_ms() of them */
};

struct trust_todo { /* an event that follows from what has happened to another unit */
    wu_id unit;     /* 0: none yet, the host's answers are looked through for ripe ones */
    enum wu_event_kind kind;
    uint32_t count;   /* CONFIRM, AUDIT; ERROR: the attempt, which is given back */
    uint64_t host_id; /* VOID: whose answer; ERROR: whose attempt */
    uint64_t app;     /* without a unit: of which app */
};

#endif
