/* task.c - see task.h */
#include "client/task.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "wire/launch.h"

static const struct work_chunk *find_chunk(const struct work_unit *u, const struct work_chunk *chunks,
                                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_eq(chunks[i].name, u->chunk))
            return &chunks[i];
    return NULL;
}

enum err task_accept(const struct trust *t, const struct work_unit *u, const struct work_chunk *chunks,
                     uint32_t chunk_count, int64_t now_ms, struct task_ids *ret)
{
    ARENA_AUTO struct arena a = {0};
    struct spec spec;
    struct digest order;
    const struct work_chunk *chunk = find_chunk(u, chunks, chunk_count);
    if (!chunk)
        return err_set(ERR_UNTRUSTED, "the server sent a unit without its signed statement");
    enum err e = trust_check(t, now_ms);
    struct unit_proof proof = {.spec = u->spec,
                               .spec_len = u->spec_len,
                               .chunk = chunk->envelope,
                               .chunk_len = chunk->envelope_len,
                               .index = u->index,
                               .path = u->path,
                               .path_len = u->path_len,
                               .unit = u->id.unit};
    if (e == ERR_OK)
        e = unit_verify(&proof, &t->root.work, &t->project_key, &a, &spec, &order);
    if (e == ERR_OK)
        *ret = (struct task_ids){.id = u->id,
                                 .order = order,
                                 .release = u->release,
                                 .bundle = u->bundle,
                                 .spec = u->spec,
                                 .spec_len = u->spec_len,
                                 .audit = u->audit};
    return e;
}

enum err task_check_release(const struct trust *t, const struct digest *release, const char *envelope,
                            size_t len, struct buf *ret_payload)
{
    enum err e = envelope_open(envelope, len, ENVELOPE_TYPE_RELEASE, &t->root.release, ret_payload);
    if (e != ERR_OK)
        return err_prefix(e, "the release of the app");
    struct digest d = hash_bytes(ret_payload->data, ret_payload->len);
    if (!digest_eq(&d, release))
        return err_set(ERR_UNTRUSTED, "the server sent another release of the app than the unit names");
    return ERR_OK;
}

static bool same_keys(const struct key_set *a, const struct key_set *b)
{
    return a->count == b->count && a->threshold == b->threshold &&
           memcmp(a->keys, b->keys, a->count * sizeof a->keys[0]) == 0;
}

static bool is_proved(const struct task_proofs *proofs, const struct digest *envelope)
{
    uint32_t count = proofs->next < TASK_PROOFS_MAX ? proofs->next : TASK_PROOFS_MAX;
    for (uint32_t i = 0; i < count; i++)
        if (digest_eq(&proofs->envelopes[i], envelope))
            return true;
    return false;
}

/* The digest is of all that was proved, the release asked for included: an envelope is kept for one release.
 */
static struct digest proof_of(const struct digest *release, const char *envelope, size_t len)
{
    struct digest both[2] = {*release, hash_bytes(envelope, len)};
    return hash_bytes(both, sizeof both);
}

enum err task_prove_release(struct task_proofs *proofs, const struct trust *t, const struct digest *release,
                            const char *envelope, size_t len, struct buf *ret_payload)
{
    struct digest proof = proof_of(release, envelope, len);
    if (!same_keys(&proofs->keys, &t->root.release))
        *proofs = (struct task_proofs){.keys = t->root.release};
    if (is_proved(proofs, &proof))
        return envelope_peek(envelope, len, ENVELOPE_TYPE_RELEASE, ret_payload);
    enum err e = task_check_release(t, release, envelope, len, ret_payload);
    if (e == ERR_OK) {
        proofs->envelopes[proofs->next % TASK_PROOFS_MAX] = proof;
        proofs->next = proofs->next + 1 < 2 * TASK_PROOFS_MAX ? proofs->next + 1 : TASK_PROOFS_MAX;
    }
    return e;
}

static enum err load_release(struct depot *depot, const struct trust *t, struct task_proofs *proofs,
                             const struct task_ids *ids, struct arena *a, struct release *ret)
{
    BUF_AUTO struct buf envelope = {.bytes_max = ENVELOPE_BYTES_MAX},
                        payload = {.bytes_max = ENVELOPE_BYTES_MAX};
    enum err e = depot_read(depot, DEPOT_RELEASE, &ids->release, ENVELOPE_BYTES_MAX, &envelope);
    if (e == ERR_OK)
        e = task_prove_release(proofs, t, &ids->release, buf_text(&envelope), envelope.len, &payload);
    return e == ERR_OK ? release_parse(buf_text(&payload), payload.len, a, ret) : e;
}

static enum err load_order(struct depot *depot, const struct task_ids *ids, struct arena *a,
                           struct order *ret)
{
    BUF_AUTO struct buf text = {.bytes_max = BATCH_ORDER_BYTES_MAX};
    enum err e = depot_read(depot, DEPOT_FILE, &ids->order, BATCH_ORDER_BYTES_MAX, &text);
    if (e != ERR_OK)
        return e;
    struct digest d = hash_bytes(buf_text(&text), text.len);
    if (!digest_eq(&d, &ids->order)) {
        depot_drop(depot, DEPOT_FILE, &ids->order);
        return err_set(ERR_MISSING, "the order is not what it was: the disk has changed it");
    }
    return order_parse(buf_text(&text), text.len, a, ret);
}

static enum err check_together(const struct trust *t, const struct task_ids *ids, const struct task *x)
{
    bool listed = false;
    for (uint32_t i = 0; i < x->order.release_count; i++)
        listed = listed || digest_eq(&x->order.releases[i], &ids->release);
    if (!digest_eq(&x->order.project_key, &t->project_key))
        return err_set(ERR_UNTRUSTED, "the order is of another project");
    if (x->order.batch != wu_id_batch(ids->id.unit) || x->spec.unit != ids->id.unit)
        return err_set(ERR_UNTRUSTED, "the order is of another batch than the unit");
    if (!listed)
        return err_set(ERR_UNTRUSTED, "the batch does not allow this release of the app");
    if (!str_eq(x->release.app, x->order.app) || x->release.version != x->order.version)
        return err_set(ERR_UNTRUSTED, "the release is of %s %u, the batch is of %s %u", x->release.app,
                       x->release.version, x->order.app, x->order.version);
    if (!str_eq(x->release.platform, platform_here()))
        return err_set(ERR_UNTRUSTED, "the release is for %s, this is %s", x->release.platform,
                       platform_here());
    if (!digest_eq(&x->release.bundle, &ids->bundle))
        return err_set(ERR_UNTRUSTED, "the server names another bundle than the release");
    return ERR_OK;
}

/* Two files of the same name would let one replace the other. */
static enum err join_inputs(struct task *x, struct arena *a)
{
    uint32_t n = x->order.input_count + x->spec.input_count;
    x->inputs = arena_array(a, n + 1, sizeof *x->inputs);
    if (!x->inputs)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct file_ref *in =
            i < x->order.input_count ? &x->order.inputs[i] : &x->spec.inputs[i - x->order.input_count];
        for (uint32_t j = 0; j < i; j++)
            if (str_eq(x->inputs[j].path, in->path))
                return err_set(ERR_INVALID, "the unit has two inputs called %.200s", in->path);
        x->inputs[x->input_count++] = *in;
    }
    return ERR_OK;
}

enum err task_load(struct depot *depot, const struct trust *t, struct task_proofs *proofs,
                   const struct task_ids *ids, int64_t now_ms, struct arena *a, struct task *ret)
{
    struct task x = {0};
    enum err e = trust_check(t, now_ms);
    if (e == ERR_OK)
        e = spec_parse(ids->spec, ids->spec_len, a, &x.spec);
    if (e == ERR_OK)
        e = load_release(depot, t, proofs, ids, a, &x.release);
    if (e == ERR_OK)
        e = load_order(depot, ids, a, &x.order);
    if (e == ERR_OK)
        e = check_together(t, ids, &x);
    if (e == ERR_OK)
        e = join_inputs(&x, a);
    if (e != ERR_OK)
        return e;
    x.audit = ids->audit && x.release.manifest.items ? ids->audit : NULL;
    x.limits = limits_merge(&x.release.manifest.limits, &x.order.limits);
    *ret = x;
    return ERR_OK;
}

enum err task_command(const struct task *task, struct arena *a, const char ***ret_argv, const char ***ret_env)
{
    return launch_words(&task->release.manifest, &task->order, &task->spec, task->audit, a, ret_argv,
                        ret_env);
}
