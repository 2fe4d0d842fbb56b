/* store_member.h - servers on one database, and what each of them has claimed. members.h makes sense of it.
 */
#ifndef SERVER_STORE_MEMBER_H
#define SERVER_STORE_MEMBER_H

#include "server/store.h"
#include "server/store_set.h"

#define MEMBERS_MAX           64 /* servers on one database */
#define MEMBER_TOLD_BYTES_MAX 4096
#define CLAIM_BLOCK_UNITS     64 /* neighbours of a batch that are claimed together */

struct store_member {
    uint32_t id;     /* its place, 1 to MEMBERS_MAX */
    uint64_t joined; /* never given twice */
    uint64_t beat, knows, news;
    int64_t wall_ms;
    const char *place, *told;
    uint32_t schema; /* STORE_SCHEMA_VERSION of its program */
};

enum claim_kind {
    CLAIM_DUTY, /* subject: enum duty of members.h */
    CLAIM_BLOCK /* subject: wu_id_make(batch, number of the block): who hands out those never sent in it */
};

struct store_claim {
    enum claim_kind kind;
    uint64_t subject, owner; /* owner: `joined` of a server */
};

enum err store_member_list(struct store *s, struct arena *a, struct store_member **ret,
                           uint32_t *ret_count) NODISCARD;
/* In the order of their subjects, from `first` to `last`, at most `limit`. */
enum err store_claim_list(struct store *s, struct arena *a, enum claim_kind kind, uint64_t first,
                          uint64_t last, uint32_t limit, struct store_claim **ret,
                          uint32_t *ret_count) NODISCARD;
/* The first of what a server has. */
enum err store_claims_of(struct store *s, struct arena *a, uint64_t owner, uint32_t limit,
                         struct store_claim **ret, uint32_t *ret_count) NODISCARD;
/* Within the open transaction: takes those that nobody has. Waits for whoever takes the same ones now.
 * ret_mine says which of them are the owner's then. ERR_CONFLICT when the owner has been given up for dead.
 */
enum err store_claims_take(struct store *s, struct arena *a, enum claim_kind kind, const uint64_t *subjects,
                           uint32_t count, uint32_t place, uint64_t owner, bool *ret_mine) NODISCARD;

/* ERR_CONFLICT at the write: the place is taken. */
void store_set_member_new(struct store_set *set, const struct store_member *m);
/* ERR_CONFLICT at the write: others have given it up for dead. */
void store_set_member_beat(struct store_set *set, const struct store_member *m);
/* Only as it was read: ERR_CONFLICT at the write when it has moved since. */
void store_set_member_end(struct store_set *set, const struct store_member *m);
void store_set_claim_end(struct store_set *set, const struct store_claim *c); /* fine when it is gone */

#endif
