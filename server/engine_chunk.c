/* engine_chunk.c - the signed statements over 256 consecutive units, made when the first of them goes out.
 * Ed25519 is deterministic (RFC 8032), so a statement that is made again is the same, and none needs to be
 * stored. */
#include <stdlib.h>
#include <string.h>

#include "base/merkle.h"
#include "server/engine_in.h"
#include "server/unit_row.h"

void chunk_free(struct engine *e, struct chunk_mem *c)
{
    cache_drop(&e->chunks, &c->item);
    free(c->levels);
    free((char *)(uintptr_t)c->envelope.data);
    free(c);
}

struct leaves {
    struct digest leaf[CHUNK_UNITS_MAX];
    uint32_t count;
    struct buf text;
};

static enum err add_leaf(void *ctx, const struct store_unit_row *row)
{
    static const struct unit_array none = {0};
    struct leaves *l = ctx;
    buf_clear(&l->text);
    TRY(unit_spec(row->id, &none, &row->spec, &l->text));
    if (l->count < CHUNK_UNITS_MAX)
        l->leaf[l->count++] = merkle_leaf(l->text.data, l->text.len);
    return ERR_OK;
}

static enum err array_leaves(const struct store_batch *b, uint32_t first, uint32_t count, struct leaves *l)
{
    struct unit_array array = {.is_array = true, .first = b->array_first, .step = b->array_step};
    struct text none = {0};
    for (uint32_t i = 0; i < count; i++) {
        buf_clear(&l->text);
        TRY(unit_spec(wu_id_make(b->id, first + i), &array, &none, &l->text));
        l->leaf[l->count++] = merkle_leaf(l->text.data, l->text.len);
    }
    return ERR_OK;
}

static enum err make_leaves(struct engine *e, const struct store_batch *b, uint32_t first, uint32_t count,
                            struct leaves *l)
{
    if (b->array)
        return array_leaves(b, first, count, l);
    if (e->units_new)
        TRY(engine_flush(e));
    TRY(store_specs_scan(e->store, wu_id_make(b->id, first), wu_id_make(b->id, first + count - 1),
                         (struct store_unit_rows){.row = add_leaf, .ctx = l}));
    if (l->count != count)
        return err_set(ERR_CORRUPT, "batch %u: units %u to %u are not all there", b->id, first,
                       first + count - 1);
    return ERR_OK;
}

static enum err seal(struct engine *e, const struct store_batch *b, uint32_t first, const struct leaves *l,
                     struct chunk_mem *c)
{
    struct buf BUF_AUTO envelope = {0};
    size_t levels = merkle_levels_count(l->count);
    c->levels = malloc(levels * sizeof *c->levels);
    if (!c->levels)
        return err_set(ERR_NOMEM, "no memory for a chunk of units");
    merkle_levels(l->leaf, l->count, c->levels);
    TRY(e->config.sign_units(e->config.sign_ctx, b->id, &b->order_digest, first, l->count,
                             &c->levels[levels - 1], &envelope));
    c->count = l->count;
    c->envelope.len = (uint32_t)envelope.len;
    c->envelope.data = buf_take(&envelope);
    return c->envelope.data ? ERR_OK : err_set(ERR_NOMEM, "no memory for a chunk of units");
}

static enum err make(struct engine *e, struct batch_mem *b, uint32_t number, struct chunk_mem **ret)
{
    uint32_t first = number * CHUNK_UNITS_MAX, units = (uint32_t)b->b.counts.units;
    uint32_t count = units - first < CHUNK_UNITS_MAX ? units - first : CHUNK_UNITS_MAX;
    struct leaves l;
    l.count = 0;
    l.text = (struct buf){0};
    struct chunk_mem *c = calloc(1, sizeof *c);
    enum err err =
        c ? make_leaves(e, &b->b, first, count, &l) : err_set(ERR_NOMEM, "no memory for a chunk of units");
    buf_done(&l.text);
    if (err == ERR_OK)
        err = seal(e, &b->b, first, &l, c);
    if (err == ERR_OK) {
        c->item.key = wu_id_make(b->b.id, number);
        err = cache_put(&e->chunks, &c->item);
    }
    if (err != ERR_OK) {
        if (c) {
            free(c->levels);
            free((char *)(uintptr_t)c->envelope.data);
        }
        free(c);
        return err;
    }
    *ret = c;
    return ERR_OK;
}

enum err chunk_find(struct engine *e, struct batch_mem *b, uint32_t index, struct chunk_mem **ret)
{
    uint32_t number = index / CHUNK_UNITS_MAX;
    if (index >= b->b.counts.units) /* another server has added units */
        TRY(batch_recount(e, b));
    struct chunk_mem *c = (void *)cache_get(&e->chunks, wu_id_make(b->b.id, number));
    if (c && index % CHUNK_UNITS_MAX < c->count) {
        *ret = c;
        return ERR_OK;
    }
    if (c) /* units were added since */
        chunk_free(e, c);
    return make(e, b, number, ret);
}
