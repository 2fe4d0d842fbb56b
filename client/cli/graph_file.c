/* graph_file.c - a batch file with stages: each becomes a batch that names those it needs */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/blob.h"
#include "client/cli/graph.h"
#include "client/cli/parts.h"
#include "wire/batch_msg.h"

enum { STAGES_MAX = 100, UNITS_MAX = 1000000, SEND_BYTES = 1 << 20, SEND_LINES = 10000, KEY_MAX = 50 };

struct stages {
    struct cli *c;
    const char *key;
    bool fresh; /* nothing is taken from earlier runs */
    struct made {
        const char *name, *batch;
    } made[STAGES_MAX];
    uint32_t count;
};

static const char *const links[] = {"each", "lines", "reduce"};
static const char *const own_fields[] = {"after", "file", "fan_in", "failed", "units", "inputs", "reuse"};

static bool is_one(const char *key, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(key, list[i]))
            return true;
    return false;
}
#define IS_ONE(key, list) is_one(key, list, sizeof list / sizeof *list)

static enum err batch_of(const struct stages *s, const struct json *name, const char **ret)
{
    const char *text = name && json_kind(name) == JSON_IS_TEXT ? json_text(name) : "";
    for (uint32_t i = 0; i < s->count; i++)
        if (str_eq(s->made[i].name, text)) {
            *ret = s->made[i].batch;
            return ERR_OK;
        }
    return err_set(ERR_INVALID, "there is no earlier stage \"%.60s\": stages stand after those they need",
                   text);
}

/* --- the request of one stage --- */

static enum err write_inputs(struct stages *s, const struct json *list, struct json_out *o)
{
    enum err e = ERR_OK;
    json_out_array(o, "inputs");
    for (size_t i = 0; e == ERR_OK && i < json_count(list); i++) {
        const struct json *item = json_at(list, i);
        const char *from, *path;
        char hex[DIGEST_TEXT_BYTES];
        struct digest digest;
        uint64_t bytes;
        if (json_kind(item) != JSON_IS_TEXT)
            return err_set(ERR_INVALID, "inputs are texts: \"FILE\" or \"FILE=PATH\"");
        if ((e = parts_file("inputs", json_text(item), &s->c->arena, &from, &path)) != ERR_OK ||
            (e = hash_file(from, &digest, &bytes)) != ERR_OK ||
            (e = blob_put(s->c, from, &digest, bytes, NULL, NULL, NULL)) != ERR_OK)
            return e;
        digest_text(&digest, hex);
        json_out_object(o, NULL);
        json_out_string(o, "path", path);
        json_out_string(o, "sha256", hex);
        json_out_u64(o, "bytes", bytes);
        json_out_close(o);
    }
    json_out_close(o);
    return e;
}

static enum err write_links(const struct stages *s, const struct json *stage, struct json_out *o)
{
    const struct json *after = json_field(stage, "after");
    const char *batch;
    enum err e = ERR_OK;
    json_out_object(o, "stage");
    if (s->count)
        json_out_string(o, "graph", s->made[0].batch);
    if (after) {
        json_out_array(o, "after");
        for (size_t i = 0; e == ERR_OK && i < json_count(after); i++)
            if ((e = batch_of(s, json_at(after, i), &batch)) == ERR_OK)
                json_out_string(o, NULL, batch);
        json_out_close(o);
    }
    for (size_t i = 0; e == ERR_OK && i < sizeof links / sizeof *links; i++)
        if (json_field(stage, links[i]) && (e = batch_of(s, json_field(stage, links[i]), &batch)) == ERR_OK)
            json_out_string(o, links[i], batch);
    static const char *const plain[] = {"file", "fan_in", "failed"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (json_field(stage, plain[i]))
            json_out_value(o, plain[i], json_field(stage, plain[i]));
    json_out_close(o);
    return e;
}

/* Units of a stage that are written down here: words, or the numbers of an array. */
struct written {
    const struct json *words;
    int64_t first, step;
    size_t count;
};

static bool is_reused(const struct stages *s, const struct json *stage)
{
    const struct json *wish = json_field(stage, "reuse");
    return wish ? json_is_set(wish) : !s->fresh;
}

/* An array that the server would make by itself is sent as numbers where answers of before may be taken; what
 * is wrong with it is the server's to say. */
static bool is_sent(const struct stages *s, const struct json *stage, const struct json *words,
                    struct written *ret)
{
    const struct json *array = json_field(stage, "array");
    *ret = (struct written){.words = words, .count = words ? json_count(words) : 0};
    if (words || !array || json_kind(array) != JSON_IS_OBJECT || !is_reused(s, stage))
        return words != NULL;
    ret->first = json_int(json_field(array, "first"), 0);
    ret->step = json_int(json_field(array, "step"), 1);
    uint64_t count = batch_array_count(ret->first, json_int(json_field(array, "last"), INT64_MIN), ret->step);
    ret->count = (size_t)count;
    return count > 0 && count <= UNITS_MAX;
}

static enum err write_request(struct stages *s, const struct json *stage, bool sent, struct buf *out)
{
    struct json_out o;
    const char *key;
    const struct json *value;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    for (size_t i = 0; json_each(stage, i, &key, &value); i++)
        if (!IS_ONE(key, own_fields) && !IS_ONE(key, links) && !(sent && str_eq(key, "array")))
            json_out_value(&o, key, value);
    if (is_reused(s, stage) && (sent || !json_field(stage, "array")))
        json_out_bool(&o, "reuse", true);
    enum err e = json_field(stage, "inputs") ? write_inputs(s, json_field(stage, "inputs"), &o) : ERR_OK;
    if (e == ERR_OK)
        e = write_links(s, stage, &o);
    if (e != ERR_OK)
        return e;
    json_out_close(&o);
    return json_out_end(&o);
}

/* --- its units --- */

static enum err write_unit(const struct written *units, size_t i, struct buf *out)
{
    struct json_out o;
    BUF_AUTO struct buf line = {0};
    const struct json *word = units->words ? json_at(units->words, i) : NULL;
    char number[24];
    int64_t value = units->first + (int64_t)i * units->step;
    snprintf(number, sizeof number, "%lld", (long long)value);
    json_out_init(&o, &line);
    json_out_object(&o, NULL);
    json_out_object(&o, "vars");
    if (!word || json_kind(word) == JSON_IS_TEXT)
        json_out_string(&o, "", word ? json_text(word) : number);
    json_out_close(&o);
    json_out_array(&o, "inputs");
    json_out_close(&o);
    json_out_close(&o);
    if (word && json_kind(word) != JSON_IS_TEXT)
        return err_set(ERR_INVALID, "units are texts");
    enum err e = json_out_end(&o);
    return e == ERR_OK ? buf_printf(out, "%s\n", buf_text(&line)) : e;
}

/* From where the server says its list ends: an earlier try may have sent a part. */
static enum err send_units(struct stages *s, const struct written *units, const char *batch)
{
    char path[96];
    uint64_t next;
    enum err e = api_batch_units(s->c, batch, &next);
    while (e == ERR_OK && next < units->count) {
        BUF_AUTO struct buf body = {0};
        uint64_t first = next;
        for (; e == ERR_OK && next < units->count && next - first < SEND_LINES && body.len < SEND_BYTES;
             next++)
            e = write_unit(units, next, &body);
        JSON_AUTO struct json_doc *reply = NULL;
        snprintf(path, sizeof path, "/v1/batches/%s/units?first=%llu", batch, (unsigned long long)first);
        if (e == ERR_OK)
            e = api_send(s->c, "POST", path, &body, NULL, &reply);
        int64_t took = reply ? json_int(json_field(json_root(reply), "next"), 0) : 0;
        if (e == ERR_OK && took > (int64_t)first && took < (int64_t)next)
            next = (uint64_t)took; /* it took a part of them */
    }
    snprintf(path, sizeof path, "/v1/batches/%s/close", batch);
    return e == ERR_OK ? api_send(s->c, "POST", path, NULL, NULL, NULL) : e;
}

/* --- all of them --- */

static bool is_made(const struct json *stage)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (json_field(stage, links[i]))
            return true;
    return json_field(stage, "array") || json_field(stage, "from_stream");
}

static enum err submit_stage(struct stages *s, const struct json *stage)
{
    BUF_AUTO struct buf body = {.bytes_max = BATCH_ORDER_BYTES_MAX};
    JSON_AUTO struct json_doc *doc = NULL;
    const char *name = NULL, *id = NULL;
    const struct json *units = NULL;
    struct written written;
    char key[KEY_MAX + 16];
    enum err e = json_get_string(stage, "stage", "name", 200, &name);
    if (e == ERR_OK)
        e = json_opt_array(stage, "stage", "units", UNITS_MAX, &units);
    if (e == ERR_OK && is_made(stage) == (units != NULL))
        return err_set(ERR_INVALID, units ? "its units come from elsewhere: take \"units\" away"
                                          : "it needs one of units, array, each, lines, reduce, from_stream");
    bool sent = e == ERR_OK && is_sent(s, stage, units, &written);
    if (e == ERR_OK)
        e = write_request(s, stage, sent, &body);
    snprintf(key, sizeof key, "%s.%u", s->key, s->count);
    if (e == ERR_OK)
        e = api_send(s->c, "POST", "/v1/batches", &body, key, &doc);
    if (e == ERR_OK && !doc)
        e = err_set(ERR_CORRUPT, "the server did not name the new batch");
    if (e == ERR_OK)
        e = json_get_string(json_root(doc), "reply", "batch", ID_TEXT_BYTES, &id);
    if (e != ERR_OK)
        return e;
    struct made *m = &s->made[s->count];
    *m = (struct made){arena_text(&s->c->arena, name), arena_text(&s->c->arena, id)};
    if (!m->name || !m->batch)
        return ERR_NOMEM;
    s->count++;
    return sent ? send_units(s, &written, m->batch) : ERR_OK;
}

enum err graph_submit(struct cli *c, const char *file, const char *key, bool fresh, const char **ret_graph)
{
    BUF_AUTO struct buf text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *list;
    struct stages *s = arena_alloc(&c->arena, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    *s = (struct stages){.c = c, .key = key, .fresh = fresh};
    if (strlen(key) > KEY_MAX)
        return err_set(ERR_LIMIT, "a key has %d characters at most", KEY_MAX);
    enum err e = file_read(file, JSON_BODY_BYTES_MAX, &text);
    if (e == ERR_OK)
        e = err_prefix(json_parse(buf_text(&text), text.len, JSON_BODY_BYTES_MAX, &doc), "%s", file);
    if (e == ERR_OK)
        e = json_get_array(json_root(doc), file, "stages", STAGES_MAX, &list);
    for (size_t i = 0; e == ERR_OK && i < json_count(list); i++) {
        e = submit_stage(s, json_at(list, i));
        if (e != ERR_OK)
            err_prefix(e, "%s: stages[%zu]", file, i);
        if (s->count)
            *ret_graph = s->made[0].batch;
    }
    if (e == ERR_OK && s->count == 0)
        e = err_set(ERR_INVALID, "%s has no stages", file);
    return e;
}
