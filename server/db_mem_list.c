#include "server/db_mem_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int mem_value_compare(const struct db_value *a, const struct db_value *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    switch (a->kind) {
    case DB_INT:
        return a->as.i < b->as.i ? -1 : a->as.i > b->as.i;
    case DB_REAL:
        return a->as.r < b->as.r ? -1 : a->as.r > b->as.r;
    case DB_TEXT:
    case DB_BLOB: {
        uint32_t len = a->len < b->len ? a->len : b->len;
        int c = len ? memcmp(a->as.p, b->as.p, len) : 0;
        return c ? c : (a->len < b->len ? -1 : a->len > b->len);
    }
    case DB_NULL:
        break;
    }
    return 0;
}

int mem_list_compare(const struct mem_list *l, const struct mem_row *r, const struct db_value *values,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int c = mem_value_compare(&r->values[l->order[i]], &values[i]);
        if (c)
            return c;
    }
    return 0;
}

static int compare_rows(const struct mem_list *l, const struct mem_row *a, const struct mem_row *b)
{
    for (uint32_t i = 0; i < l->order_count; i++) {
        int c = mem_value_compare(&a->values[l->order[i]], &b->values[l->order[i]]);
        if (c)
            return c;
    }
    return 0;
}

bool mem_list_holds(const struct mem_list *l, const struct mem_row *r)
{
    if (l->index == DB_BY_KEY || !l->table->indexes[l->index].partial)
        return true;
    return r->values[l->table->indexes[l->index].columns[0]].kind != DB_NULL;
}

static uint32_t levels_of_next(struct mem_list *l)
{
    uint64_t x = ++l->made * 0x9e3779b97f4a7c15ull;
    uint32_t levels = 1;
    x ^= x >> 29;
    while (levels < MEM_LEVELS_MAX && (x & 3) == 0) {
        levels++;
        x >>= 2;
    }
    return levels;
}

/* The links that come before the place of a row (or of a prefix: before all that are equal to it). */
struct place {
    struct mem_node **links[MEM_LEVELS_MAX];
};

static void find_row(struct mem_list *l, const struct mem_row *r, struct place *ret)
{
    struct mem_node **links = l->head;
    for (int level = MEM_LEVELS_MAX - 1; level >= 0; level--) {
        while (links[level] && compare_rows(l, links[level]->row, r) < 0)
            links = links[level]->next;
        ret->links[level] = &links[level];
    }
}

struct mem_node *mem_list_find(struct mem_list *l, const struct db_value *values, uint32_t count, bool beyond)
{
    struct mem_node **links = l->head;
    for (int level = MEM_LEVELS_MAX - 1; level >= 0; level--)
        while (links[level]) {
            int c = mem_list_compare(l, links[level]->row, values, count);
            if (c > 0 || (c == 0 && !beyond))
                break;
            links = links[level]->next;
        }
    return links[0];
}

enum err mem_list_add(struct mem_list *l, struct mem_row *r)
{
    struct place at;
    if (!mem_list_holds(l, r))
        return ERR_OK;
    uint32_t levels = levels_of_next(l);
    struct mem_node *n = malloc(sizeof *n + levels * sizeof(struct mem_node *));
    if (!n)
        return err_set(ERR_NOMEM, "no memory for a row of %s", l->table->name);
    find_row(l, r, &at);
    n->row = r;
    for (uint32_t i = 0; i < levels; i++) {
        n->next[i] = *at.links[i];
        *at.links[i] = n;
    }
    return ERR_OK;
}

void mem_list_remove(struct mem_list *l, const struct mem_row *r)
{
    struct place at;
    if (!mem_list_holds(l, r))
        return;
    find_row(l, r, &at);
    struct mem_node *n = *at.links[0];
    assert(n && n->row == r);
    for (uint32_t i = 0; i < MEM_LEVELS_MAX; i++)
        if (*at.links[i] == n)
            *at.links[i] = n->next[i];
    free(n);
}

void mem_list_done(struct mem_list *l, bool rows)
{
    struct mem_node *next;
    for (struct mem_node *n = l->head[0]; n; n = next) {
        next = n->next[0];
        if (rows)
            free(n->row);
        free(n);
    }
}

struct mem_row *mem_row_new(const struct db_value *values, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        if (values[i].kind == DB_TEXT || values[i].kind == DB_BLOB)
            bytes += values[i].len + 1u;
    struct mem_row *r = malloc(sizeof *r + count * sizeof(struct db_value) + bytes);
    if (!r)
        return NULL;
    r->count = count;
    char *at = (char *)&r->values[count];
    for (uint32_t i = 0; i < count; i++) {
        r->values[i] = values[i];
        if (values[i].kind != DB_TEXT && values[i].kind != DB_BLOB)
            continue;
        if (values[i].len)
            memcpy(at, values[i].as.p, values[i].len);
        at[values[i].len] = 0;
        r->values[i].as.p = at;
        at += values[i].len + 1u;
    }
    return r;
}
