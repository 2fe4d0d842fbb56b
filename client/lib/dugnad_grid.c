/* dugnad_grid.c - see dugnad_grid.h. The command line's own code does the talking: login, pins, retries. */
#include "client/lib/dugnad_grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/blob.h"
#include "wire/batch_msg.h"

enum { ITEMS_MAX = 1000000, LINES_MAX = 5000, PAGE_ITEMS = 200, WAIT_S_MAX = 20 };
#define LINES_BYTES_MAX  (2u << 20)
#define OUTPUT_BYTES_MAX (256u << 20)
#define FUTURE_BYTES_MAX (4ull << 30)

struct dugnad_grid {
    struct cli cli;
    char profile[NAME_BYTES_MAX + 1];
};

struct dugnad_grid_future {
    struct dugnad_grid *grid;
    struct arena arena; /* all answers */
    char batch[ID_TEXT_BYTES];
    size_t count, done, failed;
    int64_t after;
    bool complete;
    struct dugnad_grid_answer **answers;
};

const char *dugnad_grid_error(const struct dugnad_grid *grid)
{
    (void)grid;
    return err_text();
}

static enum err start(struct dugnad_grid *grid, const char *profile)
{
    if (profile && strlen(profile) >= sizeof grid->profile)
        return err_set(ERR_INVALID, "the profile's name is longer than %zu bytes", sizeof grid->profile - 1);
    snprintf(grid->profile, sizeof grid->profile, "%s", profile ? profile : "");
    grid->cli = (struct cli){.out = stdout,
                             .err = stderr,
                             .quiet = true,
                             .profile = profile ? grid->profile : getenv("DUGNAD_PROFILE"),
                             .url = getenv("DUGNAD_URL"),
                             .token_file = getenv("DUGNAD_TOKEN_FILE")};
    return api_open(&grid->cli);
}

struct dugnad_grid *dugnad_grid_open(const char *profile)
{
    char why[ERR_TEXT_BYTES_MAX];
    struct dugnad_grid *grid = calloc(1, sizeof *grid);
    enum err e = grid ? start(grid, profile) : err_set(ERR_NOMEM, "out of memory");
    if (e == ERR_OK)
        return grid;
    snprintf(why, sizeof why, "%s", err_text());
    dugnad_grid_close(grid);
    e = err_set(e, "%s", why);
    return NULL;
}

void dugnad_grid_close(struct dugnad_grid *grid)
{
    if (!grid)
        return;
    api_close(&grid->cli);
    arena_done(&grid->cli.arena);
    free(grid);
}

/* --- submitting --- */

static enum err check(const struct dugnad_grid_request *r)
{
    if (!r->app || !str_is_name(r->app))
        return err_set(ERR_INVALID, "a request needs the name of an app: dugnad app ls lists them");
    if (r->item_count < 1 || r->item_count > ITEMS_MAX)
        return err_set(ERR_LIMIT, "a request has 1 to %d items: this one has %zu", ITEMS_MAX, r->item_count);
    if (r->quorum < 0 || r->quorum > ATTEMPTS_MAX)
        return err_set(ERR_INVALID, "a quorum is 0 (the project's way) to %d", ATTEMPTS_MAX);
    return ERR_OK;
}

static enum err upload(struct dugnad_grid_future *f, const struct dugnad_grid_request *r,
                       struct batch_request *b)
{
    enum err e = ERR_OK;
    if (r->input_count > WU_INPUTS_MAX)
        return err_set(ERR_LIMIT, "a request has at most %d inputs: pack them into one archive",
                       WU_INPUTS_MAX);
    if (!(b->inputs = arena_array(&f->arena, r->input_count + 1, sizeof *b->inputs)))
        return ERR_NOMEM;
    for (size_t i = 0; i < r->input_count && e == ERR_OK; i++) {
        struct file_ref *ref = &b->inputs[b->input_count++];
        const char *slash = strrchr(r->inputs[i], '/');
        ref->path = slash ? slash + 1 : r->inputs[i];
        if ((e = hash_file(r->inputs[i], &ref->sha256, &ref->bytes)) == ERR_OK)
            e = blob_put(&f->grid->cli, r->inputs[i], &ref->sha256, ref->bytes, NULL, NULL, NULL);
    }
    return e;
}

static enum err create(struct dugnad_grid_future *f, const struct dugnad_grid_request *r)
{
    BUF_AUTO struct buf body = {.bytes_max = BATCH_ORDER_BYTES_MAX};
    JSON_AUTO struct json_doc *doc = NULL;
    static const char *const item[] = {"{}"};
    char fresh[33];
    const char *id = NULL;
    struct batch_request b = {.app = r->app,
                              .name = r->name,
                              .priority = r->priority,
                              .reuse = r->reuse != 0,
                              .rules = BATCH_RULES_NOT_GIVEN};
    b.command = (const char **)(uintptr_t)(r->command_count ? r->command : item);
    b.command_count = r->command_count ? (uint32_t)r->command_count : 1;
    b.rules.min_quorum = b.rules.target_attempts = (uint32_t)r->quorum;
    api_key(fresh);
    enum err e = upload(f, r, &b);
    if (e == ERR_OK)
        e = batch_request_write(&b, &body);
    if (e == ERR_OK)
        e = api_send(&f->grid->cli, "POST", "/v1/batches", &body, r->key ? r->key : fresh, &doc);
    if (e == ERR_OK && !doc)
        e = err_set(ERR_CORRUPT, "the server did not name the new batch");
    if (e == ERR_OK)
        e = json_get_string(json_root(doc), "reply", "batch", ID_TEXT_BYTES - 1, &id);
    if (e == ERR_OK)
        snprintf(f->batch, sizeof f->batch, "%s", id);
    return e;
}

/* Where the server's list ends, from a reply or from the conflict that an earlier try of the same key gives.
 */
static enum err append(struct dugnad_grid_future *f, size_t first, const struct buf *lines, size_t *ret_next)
{
    char path[128];
    struct net_reply reply = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    snprintf(path, sizeof path, "/v1/batches/%s/units?first=%zu", f->batch, first);
    struct net_request request = {.method = "POST",
                                  .url = path,
                                  .content_type = "application/x-ndjson",
                                  .body = buf_text(lines),
                                  .body_bytes = lines->len};
    enum err e = api_do(&f->grid->cli, &request, &reply);
    int64_t next = -1;
    if ((e == ERR_OK || e == ERR_CONFLICT) && reply.body.len > 0 &&
        json_parse(buf_text(&reply.body), reply.body.len, JSON_BODY_BYTES_MAX, &doc) == ERR_OK)
        next = json_int(json_field(json_root(doc), "next"),
                        json_int(json_field(json_field(json_root(doc), "error"), "next"), -1));
    net_reply_done(&reply);
    if (e == ERR_STALE) { /* closed by an earlier try: all is there */
        *ret_next = f->count;
        return ERR_OK;
    }
    if (next < 0 || (uint64_t)next > f->count || (uint64_t)next <= first)
        return e != ERR_OK ? e : err_set(ERR_CORRUPT, "the server took no unit from %zu on", first);
    *ret_next = (size_t)next;
    return ERR_OK;
}

static enum err send_items(struct dugnad_grid_future *f, const struct dugnad_grid_request *r)
{
    BUF_AUTO struct buf lines = {0};
    enum err e = ERR_OK;
    for (size_t next = 0; e == ERR_OK && next < f->count;) {
        buf_clear(&lines);
        for (size_t i = next;
             e == ERR_OK && i < f->count && i - next < LINES_MAX && lines.len < LINES_BYTES_MAX; i++) {
            struct variable item = {"", r->items[i]};
            struct unit_line u = {.vars = &item, .var_count = 1};
            if ((e = unit_line_write(&u, &lines)) == ERR_OK)
                e = buf_add_char(&lines, '\n');
        }
        if (e == ERR_OK)
            e = append(f, next, &lines, &next);
    }
    return e;
}

static enum err verb(struct dugnad_grid_future *f, const char *word)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/batches/%s/%s", f->batch, word);
    return api_send(&f->grid->cli, "POST", path, NULL, NULL, NULL);
}

struct dugnad_grid_future *dugnad_grid_submit(struct dugnad_grid *grid,
                                              const struct dugnad_grid_request *request)
{
    enum err e = check(request);
    if (e != ERR_OK)
        return NULL;
    struct dugnad_grid_future *f = calloc(1, sizeof *f);
    if (f) {
        f->grid = grid;
        f->count = request->item_count;
        f->arena.bytes_max = FUTURE_BYTES_MAX;
        f->answers = calloc(f->count, sizeof(struct dugnad_grid_answer *));
    }
    e = f && f->answers ? create(f, request)
                        : err_set(ERR_NOMEM, "out of memory for %zu items", request->item_count);
    if (e == ERR_OK)
        e = send_items(f, request);
    if (e == ERR_OK && (e = verb(f, "close")) == ERR_STALE)
        e = ERR_OK;
    if (e == ERR_OK)
        return f;
    dugnad_grid_free(f);
    return NULL;
}

void dugnad_grid_free(struct dugnad_grid_future *f)
{
    if (!f)
        return;
    arena_done(&f->arena);
    free(f->answers);
    free(f);
}

const char *dugnad_grid_batch(const struct dugnad_grid_future *f)
{
    return f->batch;
}

size_t dugnad_grid_done(const struct dugnad_grid_future *f)
{
    return f->done;
}

enum dugnad_grid_status dugnad_grid_cancel(struct dugnad_grid_future *f)
{
    return verb(f, "cancel") == ERR_OK ? DUGNAD_GRID_OK : DUGNAD_GRID_FAILED;
}

/* --- answers --- */

static enum err content(struct dugnad_grid_future *f, const struct json *output, const char *hex,
                        struct buf *out)
{
    const char *data = json_text(json_field(output, "data"));
    char path[DIGEST_TEXT_BYTES + 16];
    struct net_reply reply = {0};
    if (data)
        return str_unbase64(data, strlen(data), out);
    snprintf(path, sizeof path, "/v1/blobs/%s", hex);
    struct net_request request = {.method = "GET", .url = path, .reply_bytes_max = OUTPUT_BYTES_MAX};
    enum err e = api_do(&f->grid->cli, &request, &reply);
    if (e == ERR_OK)
        e = buf_add(out, buf_text(&reply.body), reply.body.len);
    net_reply_done(&reply);
    return e;
}

static enum err take_output(struct dugnad_grid_future *f, const struct json *output,
                            struct dugnad_grid_output *ret)
{
    BUF_AUTO struct buf bytes = {.bytes_max = OUTPUT_BYTES_MAX};
    struct digest wanted, got;
    const char *hex, *path;
    enum err e;
    if ((e = json_get_string(output, "outputs", "path", PATH_BYTES_MAX, &path)) != ERR_OK ||
        (e = json_get_string(output, "outputs", "sha256", DIGEST_TEXT_BYTES, &hex)) != ERR_OK ||
        (e = digest_parse(hex, &wanted)) != ERR_OK || (e = content(f, output, hex, &bytes)) != ERR_OK)
        return e;
    got = hash_bytes(buf_text(&bytes), bytes.len);
    if (!digest_eq(&got, &wanted))
        return err_set(ERR_UNTRUSTED, "what the server sent for %s is not what its digest names", path);
    ret->path = arena_text(&f->arena, path);
    ret->bytes = arena_bytes(&f->arena, buf_text(&bytes), bytes.len);
    ret->len = bytes.len;
    return ret->path && ret->bytes ? ERR_OK : ERR_NOMEM;
}

static enum err take(struct dugnad_grid_future *f, const struct json *item)
{
    const char *unit, *dot;
    uint64_t index;
    const struct json *outputs = json_field(item, "outputs");
    enum err e = json_get_string(item, "items", "unit", ID_TEXT_BYTES, &unit);
    if (e != ERR_OK)
        return e;
    if (!(dot = strchr(unit, '.')) || str_to_u64(dot + 1, f->count - 1, &index) != ERR_OK)
        return err_set(ERR_CORRUPT, "the server sent an outcome of %.40s, which is none of batch %s", unit,
                       f->batch);
    struct dugnad_grid_answer *answer = arena_alloc(&f->arena, sizeof *answer);
    struct dugnad_grid_output *list = arena_array(&f->arena, json_count(outputs) + 1, sizeof *list);
    if (!answer || !list)
        return ERR_NOMEM;
    *answer = (struct dugnad_grid_answer){.outputs = list};
    if (!str_eq(json_text(json_field(item, "state")), "accepted")) {
        const char *why = json_text(json_field(item, "failure"));
        answer->failure = arena_text(&f->arena, why ? why : "failed");
        f->failed += f->answers[index] == NULL;
    }
    for (size_t i = 0; e == ERR_OK && i < json_count(outputs); i++)
        e = take_output(f, json_at(outputs, i), &list[answer->output_count++]);
    if (e == ERR_OK) {
        f->done += f->answers[index] == NULL;
        f->answers[index] = answer;
        f->after = json_int(json_field(item, "seq"), f->after);
    }
    return e;
}

static enum err page(struct dugnad_grid_future *f, int64_t wait_ms, size_t *ret_items)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *items;
    char path[160];
    int64_t wait_s = wait_ms < 0 || wait_ms > WAIT_S_MAX * 1000 ? WAIT_S_MAX : (wait_ms + 999) / 1000;
    snprintf(path, sizeof path, "/v1/batches/%s/results?after=%lld&limit=%d&wait_s=%lld", f->batch,
             (long long)f->after, PAGE_ITEMS, (long long)wait_s);
    enum err e = api_get(&f->grid->cli, path, &doc);
    if (e == ERR_OK)
        e = json_get_array(json_root(doc), "reply", "items", JSON_VALUES_MAX, &items);
    for (size_t i = 0; e == ERR_OK && i < json_count(items); i++)
        e = take(f, json_at(items, i));
    if (e != ERR_OK)
        return e;
    f->complete = json_is_set(json_field(json_root(doc), "complete"));
    *ret_items = json_count(items);
    return ERR_OK;
}

enum dugnad_grid_status dugnad_grid_wait(struct dugnad_grid_future *f, long timeout_ms)
{
    int64_t began_ms = clock_mono_ms();
    while (!f->complete && f->done < f->count) {
        size_t items = 0;
        int64_t left_ms = timeout_ms < 0 ? -1 : began_ms + timeout_ms - clock_mono_ms();
        if (page(f, timeout_ms >= 0 && left_ms < 0 ? 0 : left_ms, &items) != ERR_OK)
            return DUGNAD_GRID_FAILED;
        if (timeout_ms >= 0 && items == 0 && !f->complete && clock_mono_ms() >= began_ms + timeout_ms)
            return DUGNAD_GRID_TIMEOUT;
    }
    return f->failed || f->done < f->count ? DUGNAD_GRID_UNITS : DUGNAD_GRID_OK;
}

enum dugnad_grid_status dugnad_grid_map(struct dugnad_grid *grid, const struct dugnad_grid_request *request,
                                        struct dugnad_grid_future **ret)
{
    *ret = dugnad_grid_submit(grid, request);
    return *ret ? dugnad_grid_wait(*ret, -1) : DUGNAD_GRID_FAILED;
}

const struct dugnad_grid_answer *dugnad_grid_answer(const struct dugnad_grid_future *f, size_t i)
{
    return i < f->count ? f->answers[i] : NULL;
}
