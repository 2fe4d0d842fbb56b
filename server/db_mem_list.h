/* db_mem_list.h - rows of the database in memory, and ordered lists of them: skip lists whose levels come
 * from a counter, so that equal histories give equal lists. */
#ifndef SERVER_DB_MEM_LIST_H
#define SERVER_DB_MEM_LIST_H

#include "server/db.h"

#define MEM_LEVELS_MAX 16

struct mem_row {
    uint32_t count;
    struct db_value values[]; /* the bytes of text and blobs follow */
};

struct mem_node {
    struct mem_row *row;
    struct mem_node *next[]; /* one for each level it is in */
};

struct mem_list {
    const struct db_table *table;
    int index;
    uint32_t order_count;
    uint8_t order[DB_COLUMNS_MAX];
    struct mem_node *head[MEM_LEVELS_MAX];
    uint64_t made;
};

/* A copy with the bytes of its text and blobs; NULL when out of memory. */
struct mem_row *mem_row_new(const struct db_value *values, uint32_t count);

int mem_value_compare(const struct db_value *a, const struct db_value *b);
/* Compares a row with the values of the first `count` ordering columns. */
int mem_list_compare(const struct mem_list *l, const struct mem_row *r, const struct db_value *values,
                     uint32_t count);
/* Does the row belong into the list? A partial index has not all. */
bool mem_list_holds(const struct mem_list *l, const struct mem_row *r);
/* The first node that is not before the values, or (beyond) that is after all that are equal to them. */
struct mem_node *mem_list_find(struct mem_list *l, const struct db_value *values, uint32_t count,
                               bool beyond);
/* Both do nothing with a row that the list does not hold. */
enum err mem_list_add(struct mem_list *l, struct mem_row *r) NODISCARD;
void mem_list_remove(struct mem_list *l, const struct mem_row *r);
void mem_list_done(struct mem_list *l, bool rows); /* rows: frees them too */

#endif
