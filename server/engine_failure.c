/* engine_failure.c - what went wrong in a batch, grouped by what different attempts have in common. */
#include <stdlib.h>
#include <string.h>

#include "server/engine_in.h"
#include "wire/failure.h"

static uint64_t hash_of(const struct store_failure_group *g)
{
    struct digest d = hash_bytes(g->pattern, strlen(g->pattern));
    uint64_t h = (uint64_t)g->error * 1000003u + (uint64_t)(uint32_t)g->exit_code * 10007u +
                 (uint64_t)(uint32_t)g->signal;
    for (int i = 0; i < 7; i++)
        h = h * 257 + d.bytes[i];
    return h & INT64_MAX;
}

static enum err failures_of(struct engine *e, struct batch_mem *b)
{
    uint64_t *hashes;
    uint32_t count;
    if (b->failures_loaded)
        return ERR_OK;
    TRY(store_failures_known(e->store, &e->turn, b->b.id, FAILURE_GROUPS_MAX, &hashes, &count));
    b->failure_hashes = calloc(FAILURE_GROUPS_MAX, sizeof *b->failure_hashes);
    if (!b->failure_hashes)
        return err_set(ERR_NOMEM, "no memory for a batch's failures");
    if (count > 0)
        memcpy(b->failure_hashes, hashes, count * sizeof *hashes);
    b->failure_count = count;
    b->failures_loaded = true;
    return ERR_OK;
}

static bool know_failure(struct batch_mem *b, uint64_t hash)
{
    for (uint32_t i = 0; i < b->failure_count; i++)
        if (b->failure_hashes[i] == hash)
            return true;
    if (b->failure_count == FAILURE_GROUPS_MAX)
        return false;
    b->failure_hashes[b->failure_count++] = hash;
    return true;
}

static enum err add_failure(struct engine *e, uint32_t batch, uint64_t hash,
                            const struct store_failure_group *g)
{
    for (uint32_t i = 0; i < e->failure_count; i++) {
        struct failure_mem *f = &e->failures[i];
        if (f->batch != batch || f->hash != hash)
            continue;
        uint64_t count = f->group.count + 1;
        f->group = *g;
        f->group.count = count;
        return ERR_OK;
    }
    if (e->failure_count == e->failure_room) {
        uint32_t room = e->failure_room ? e->failure_room * 2 : 16;
        struct failure_mem *more = realloc(e->failures, room * sizeof *more);
        if (!more)
            return err_set(ERR_NOMEM, "no memory for a batch's failures");
        e->failures = more;
        e->failure_room = room;
    }
    e->failures[e->failure_count++] = (struct failure_mem){.batch = batch, .hash = hash, .group = *g};
    return ERR_OK;
}

enum err batch_note_failure(struct engine *e, struct batch_mem *b, const struct store_note *note)
{
    char pattern[FAILURE_PATTERN_BYTES];
    failure_pattern(note->stderr_tail, note->message, pattern, sizeof pattern);
    struct store_failure_group g = {.error = note->error,
                                    .exit_code = note->exit_code,
                                    .signal = note->signal,
                                    .pattern = pattern,
                                    .count = 1,
                                    .sample_unit = note->unit,
                                    .sample_attempt = note->attempt,
                                    .last_ms = note->at_ms};
    TRY(failures_of(e, b));
    if (!know_failure(b, hash_of(&g))) {
        g.exit_code = g.signal = 0;
        pattern[0] = '\0';
    }
    uint64_t hash = hash_of(&g);
    TRY(engine_text(&e->turn, pattern, &g.pattern));
    return add_failure(e, b->b.id, hash, &g);
}
