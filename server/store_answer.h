/* store_answer.h - what is written of answers; store_answer_get() in store.h reads them. */
#ifndef SERVER_STORE_ANSWER_H
#define SERVER_STORE_ANSWER_H

#include "server/db.h"
#include "server/store_set.h"

#define STORE_ANSWERS_SINCE 4 /* the version of the schema that has a row for each answer */

struct store_answer_key {
    wu_id unit;
    struct digest answer;
};

/* row: answer_row.h. One that is there already stays. */
void store_set_answer(struct store_set *set, const struct store_answer_key *key, const struct text *row);
/* The same for servers of an earlier version: its manifest and outputs, each by its digest. What is written
 * lives in a. */
enum err store_set_answer_apart(struct store_set *set, struct arena *a, const struct store_answer_key *key,
                                const struct text *row) NODISCARD;
/* Any `limit` answers of a batch. */
enum err store_answer_list(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                           struct store_answer_key **ret, uint32_t *ret_count) NODISCARD;
void store_set_answer_end(struct store_set *set, const struct store_answer_key *key);
/* Digests of what answers of a batch were kept as before, any `limit` of them. */
enum err store_small_list(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                          struct digest **ret, uint32_t *ret_count) NODISCARD;
void store_set_small_end(struct store_set *set, uint32_t batch, const struct digest *digest);

/* Within a transaction that takes the schema below STORE_ANSWERS_SINCE: all answers as they were kept before.
 */
enum err store_answers_apart(struct db *db) NODISCARD;

#endif
