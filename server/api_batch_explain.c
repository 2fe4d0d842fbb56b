/* api_batch_explain.c - why a batch is not done: what it waits for, and which hosts cannot take its work */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api_version.h"
#include "server/batch_rules.h"
#include "server/store_load.h"
#include "server/try.h"

static int64_t failed_max(const struct store_batch *b)
{
    JSON_AUTO struct json_doc *doc = NULL;
    if (b->policy.len == 0 ||
        json_parse(b->policy.data, b->policy.len, BATCH_ORDER_BYTES_MAX, &doc) != ERR_OK)
        return -1;
    return json_int(json_field(json_root(doc), "max_failed"), -1);
}

static enum err explain(const struct store_batch *b, struct buf *out)
{
    const struct batch_counts *n = &b->counts;
    int64_t wrong = n->failed - n->cancelled, most = failed_max(b);
    if (b->cancelled && most >= 0 && wrong > most)
        return buf_printf(out,
                          "Batch %u was cancelled by itself: %" PRId64
                          " of its units had failed, and it bears %" PRId64
                          "; `dugnad failures %u` says why, `dugnad retry %u` starts again.",
                          b->id, wrong, most, b->id, b->id);
    if (b->cancelled)
        return buf_printf(out, "Batch %u was cancelled; %" PRId64 " of its %" PRId64 " units had an answer.",
                          b->id, n->accepted, n->units);
    if (api_batch_is_complete(b) && n->failed == 0)
        return buf_printf(out, "Batch %u is done: all %" PRId64 " units have a validated answer.", b->id,
                          n->units);
    if (api_batch_is_complete(b))
        return buf_printf(out,
                          "Batch %u is done: %" PRId64 " units have a validated answer, %" PRId64
                          " failed: `dugnad failures %u` says why, `dugnad retry %u` tries again.",
                          b->id, n->accepted, n->failed, b->id, b->id);
    if (b->paused)
        return buf_printf(out, "Batch %u is paused: `dugnad resume %u` lets it go on.", b->id, b->id);
    if (n->units == 0)
        return buf_printf(out, "Batch %u has no units yet: it is still being loaded.", b->id);
    TRY(buf_printf(out,
                   "%" PRId64 " of %" PRId64 " units of batch %u are not done: %" PRId64
                   " attempts are at hosts, %" PRId64 " wait for one",
                   n->open + n->judging, n->units, b->id, n->leased, n->unsent));
    if (n->judging)
        TRY(buf_printf(out, ", %" PRId64 " units wait for their answers to be compared", n->judging));
    TRY(buf_add_text(out, "."));
    if (n->errors > 0)
        TRY(buf_printf(out, " %" PRId64 " attempt%s ended in an error: `dugnad failures %u` says why.",
                       n->errors, n->errors == 1 ? "" : "s", b->id));
    if (n->provisional == 0)
        return ERR_OK;
    char hold[48];
    str_from_duration_ms(b->rules.hold_ms, hold, sizeof hold);
    return buf_printf(out,
                      " %" PRId64 " of them have a provisional answer: it is final when %u later answers of "
                      "its host are in and all checks among them passed, and checked in full after %s.",
                      n->provisional, b->trust.wait, hold);
}

/* So many people must take part for the rules to reach an end, however the checks are drawn: who answers is
 * confirmed while new, and neither of the two may audit. */
static uint32_t owners_needed(const struct wu_rules *r)
{
    if (r->own_hosts)
        return 1;
    return r->escrow == WU_ESCROW_ALL ? 4 : r->escrow == WU_ESCROW_LONE ? 2 : r->quorum;
}

static enum err explain_owners(const struct store_batch *b, uint32_t owners, struct buf *out)
{
    uint32_t needed = owners_needed(&b->rules);
    const char *whose = owners == 1 ? "one owner" : "too few owners";
    if (owners >= needed)
        return ERR_OK;
    if (b->rules.escrow == WU_ESCROW_NONE)
        return buf_printf(
            out,
            "; they belong to %u owner%s, and a quorum of %u needs answers from as many owners: "
            "this cannot finish until more people join, or with --quorum %u",
            owners, owners == 1 ? "" : "s", needed, owners);
    return buf_printf(out,
                      "; they belong to %s, and the policy %s needs hosts of %u, who check each other: this "
                      "cannot finish until more people join; --policy once is for hosts that are all yours",
                      whose, batch_policy_name(batch_rules_policy(&b->rules)), needed);
}

/* Are all words of `wanted` in `list`? Both are divided by blanks. */
static bool has_words(const char *list, const char *wanted)
{
    for (size_t len; *wanted; wanted += len) {
        wanted += strspn(wanted, " ");
        len = strcspn(wanted, " ");
        bool found = len == 0;
        for (const char *at = list; !found && *at; at += strspn(at, " ")) {
            size_t n = strcspn(at, " ");
            found = n == len && memcmp(at, wanted, len) == 0;
            at += n;
        }
        if (!found)
            return false;
    }
    return true;
}

/* Hosts that called in the last hour, and what keeps those from the batch's work. */
struct crowd {
    const struct wu *wu; /* one that was sent before and waits to be sent again, or NULL */
    uint32_t alive, fit, platform, memory, disk, features, owners;
    uint32_t may_take; /* of those that match: the unit */
    uint64_t seen_owners[8];
};

static void count_host(const struct store_batch *b, const struct store_host *h, struct crowd *n)
{
    bool runs = false, known = false;
    n->alive++;
    for (uint32_t r = 0; r < b->release_count; r++)
        runs |= str_eq(b->releases[r].platform, h->platform);
    n->platform += !runs;
    bool small = h->memory_bytes < b->needs_memory_bytes, full = h->disk_bytes < b->needs_disk_bytes;
    bool lacks = !has_words(h->features, b->needs_features);
    n->memory += runs && small;
    n->disk += runs && full;
    n->features += runs && lacks;
    if (!runs || small || full || lacks)
        return;
    n->fit++;
    n->may_take += n->wu && wu_host_may_take(n->wu, h->id, h->volunteer_id);
    for (uint32_t o = 0; o < n->owners; o++)
        known |= n->seen_owners[o] == h->volunteer_id;
    if (!known && n->owners < 8)
        n->seen_owners[n->owners++] = h->volunteer_id;
}

static enum err count_hosts(struct call *c, const struct store_batch *b, struct crowd *n)
{
    struct store_host *list;
    struct arena ARENA_AUTO a = {0};
    uint32_t count = STORE_PAGE_MAX;
    uint64_t after = 0;
    int64_t now_ms = clock_wall_ms();
    for (int pages = 0; pages < 10 && count == STORE_PAGE_MAX; pages++) {
        TRY(store_host_list(c->store, &a, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            if (!list[i].left && !list[i].banned && now_ms - list[i].seen_ms <= 3600000)
                count_host(b, &list[i], n);
        }
    }
    return ERR_OK;
}

static enum err explain_hosts(const struct store_batch *b, const struct crowd *n, struct buf *out)
{
    TRY(buf_printf(out, " %u of the %u hosts that called in the last hour match", n->fit, n->alive));
    if (n->platform)
        TRY(buf_printf(out, "; for %u there is no build of %s", n->platform, b->app));
    if (n->memory)
        TRY(buf_printf(out, "; %u offer less memory than the %" PRIu64 " MiB it needs", n->memory,
                       b->needs_memory_bytes >> 20));
    if (n->disk)
        TRY(buf_printf(out, "; %u offer less disk than the %" PRIu64 " MiB it needs", n->disk,
                       b->needs_disk_bytes >> 20));
    if (n->features)
        TRY(buf_printf(out, "; %u lack a processor feature of %s", n->features, b->needs_features));
    if (n->fit)
        TRY(explain_owners(b, n->owners, out));
    TRY(buf_add_text(out, "."));
    if (!n->wu || n->fit == 0 || n->may_take > 0)
        return ERR_OK;
    char unit[ID_TEXT_BYTES];
    wu_id_text(n->wu->id, unit);
    return buf_printf(out,
                      " None of these may have unit %s: they or their owners' other hosts have tried it. It "
                      "waits until somebody else joins; `dugnad cancel` gives it up.",
                      unit);
}

static void crowd_write(struct json_out *o, const struct crowd *n)
{
    json_out_object(o, "hosts");
    json_out_u64(o, "active", n->alive);
    json_out_u64(o, "match", n->fit);
    json_out_u64(o, "platform", n->platform);
    json_out_u64(o, "memory", n->memory);
    json_out_u64(o, "disk", n->disk);
    json_out_u64(o, "features", n->features);
    json_out_close(o);
}

static enum err explain_version(struct call *c, const struct store_batch *b, struct buf *out)
{
    struct app_versions of = {0};
    const struct store_version *v;
    TRY(app_version_find(c, &of, b->app, b->version, &v));
    if (v && v->halted)
        return buf_printf(
            out, " Version %u of %s is stopped: %s. Nothing more goes out until an operator lets it.",
            b->version, b->app, v->why);
    if (!app_version_is_out(v))
        return buf_printf(out,
                          " Version %u of %s is rolled out to %g %% of the hosts so far, whatever matches.",
                          b->version, b->app, v->share_ppm / 1e4);
    return ERR_OK;
}

static enum err count_and_explain(struct call *c, const struct store_batch *b, struct crowd *n,
                                  struct buf *out)
{
    TRY(count_hosts(c, b, n));
    return explain_hosts(b, n, out);
}

enum err api_explain_hosts(struct call *c, const struct store_batch *b, const struct wu *wu, struct buf *out)
{
    struct crowd n = {.wu = wu};
    return count_and_explain(c, b, &n, out);
}

static enum err keep_id(void *ctx, const struct store_unit_row *row)
{
    *(wu_id *)ctx = row->id;
    return ERR_OK;
}

/* The first one that was sent before and has attempts to send; NULL: there is none. */
static enum err find_again(struct call *c, const struct store_batch *b, struct store_unit *room,
                           const struct wu **ret)
{
    wu_id id = 0;
    TRY(store_ready_scan(c->store, b->id, true, 0, 1, (struct store_unit_rows){.row = keep_id, .ctx = &id}));
    if (id == 0)
        return ERR_OK;
    TRY(store_unit_get(c->store, &c->http->arena, id, room));
    *ret = &room->wu;
    return ERR_OK;
}

enum err api_batch_explain(struct call *c)
{
    struct store_batch b;
    struct json_out o;
    BUF_AUTO struct buf text = {0}, body = {0};
    struct crowd crowd = {0};
    struct store_unit again;
    TRY(api_find_batch(c, &b));
    TRY(explain(&b, &text));
    bool asks = !api_batch_is_complete(&b) && !b.cancelled && !b.paused && b.counts.unsent > 0;
    if (asks) {
        TRY(find_again(c, &b, &again, &crowd.wu));
        TRY(count_and_explain(c, &b, &crowd, &text));
    }
    if (!api_batch_is_complete(&b) && !b.cancelled)
        TRY(explain_version(c, &b, &text));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    api_id(&o, "batch", b.id);
    json_out_string(&o, "state", store_batch_state(&b));
    json_out_string(&o, "text", buf_text(&text));
    if (asks)
        crowd_write(&o, &crowd);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
