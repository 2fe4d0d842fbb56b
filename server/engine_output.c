/* engine_output.c - has an answer the files that the app declares? The app's manifest is read once for each
 * batch. */
#include <stdio.h>
#include <string.h>

#include "server/engine_in.h"
#include "wire/release.h"

/* All releases of one version declare the same outputs; a batch without a release in the store (only in tests
 * of the engine alone) declares nothing, and anything goes. */
static enum err load(struct engine *e, struct batch_mem *b)
{
    struct store_release release;
    struct manifest manifest;
    enum err err = b->b.release_count == 0
                       ? ERR_MISSING
                       : store_release_get(e->store, &e->turn, &b->b.releases[0].release, &release);
    if (err != ERR_OK && err != ERR_MISSING)
        return err;
    if (err == ERR_OK) {
        TRY(manifest_parse(release.manifest.data, release.manifest.len, &b->text, &manifest));
        b->outputs = manifest.outputs;
        b->output_count = manifest.output_count;
        b->items = manifest.items;
    }
    b->outputs_loaded = true;
    return ERR_OK;
}

static const struct engine_output *find(const struct engine_report *p, const char *path)
{
    for (uint32_t i = 0; i < p->output_count; i++)
        if (strcmp(p->outputs[i].path, path) == 0)
            return &p->outputs[i];
    return NULL;
}

static bool is_declared(const struct batch_mem *b, const char *path)
{
    for (uint32_t i = 0; i < b->output_count; i++)
        if (strcmp(b->outputs[i].path, path) == 0)
            return true;
    return false;
}

enum err output_declared(struct engine *e, struct batch_mem *b, const char *path, bool *ret)
{
    if (!b->outputs_loaded)
        TRY(load(e, b));
    *ret = is_declared(b, path);
    return ERR_OK;
}

enum err output_check(struct engine *e, struct batch_mem *b, const struct engine_report *p, bool audit,
                      char *ret_why, size_t room)
{
    ret_why[0] = '\0';
    if (!b->outputs_loaded)
        TRY(load(e, b));
    if (audit && b->items) { /* the list of items is all that it is about */
        if (!find(p, b->items) || p->output_count != 1)
            snprintf(ret_why, room, "an audit brings %.200s and nothing else", b->items);
        return ERR_OK;
    }
    if (b->output_count == 0)
        return ERR_OK;
    for (uint32_t i = 0; i < b->output_count && !*ret_why; i++) {
        const struct output_spec *want = &b->outputs[i];
        const struct engine_output *is = find(p, want->path);
        if (!is && !want->optional)
            snprintf(ret_why, room, "the answer has no %.200s", want->path);
        else if (is && want->bytes_max > 0 && is->bytes > want->bytes_max)
            snprintf(ret_why, room, "%.200s has %llu bytes, the app allows %llu", want->path,
                     (unsigned long long)is->bytes, (unsigned long long)want->bytes_max);
    }
    for (uint32_t i = 0; i < p->output_count && !*ret_why; i++)
        if (!is_declared(b, p->outputs[i].path))
            snprintf(ret_why, room, "the app declares no output %.200s", p->outputs[i].path);
    return ERR_OK;
}
