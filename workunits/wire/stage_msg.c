/* stage_msg.c - see stage_msg.h */
#include "wire/stage_msg.h"

#include <stdio.h>

#include "base/ids.h"
#include "base/limits.h"
#include "base/str.h"

static const char *const kinds[STAGE_KINDS] = {
#define X(name, word) word,
    STAGE_KIND_LIST(X)
#undef X
};
static const char *const faileds[STAGE_FAILEDS] = {
#define X(name, word) word,
    STAGE_FAILED_LIST(X)
#undef X
};

const char *stage_kind_name(enum stage_kind k)
{
    return k < STAGE_KINDS ? kinds[k] : "own";
}

const char *stage_failed_name(enum stage_failed f)
{
    return f < STAGE_FAILEDS ? faileds[f] : "wait";
}

static void batch_write(struct json_out *o, const char *key, uint32_t batch)
{
    char text[ID_TEXT_BYTES];
    snprintf(text, sizeof text, "%u", batch);
    json_out_string(o, key, text);
}

void stage_write(struct json_out *o, const struct stage_request *s)
{
    if (!s->given)
        return;
    json_out_object(o, "stage");
    if (s->graph)
        batch_write(o, "graph", s->graph);
    json_out_array(o, "after");
    for (uint32_t i = 0; i < s->after_count; i++)
        batch_write(o, NULL, s->after[i]);
    json_out_close(o);
    if (s->kind != STAGE_OWN)
        batch_write(o, kinds[s->kind], s->source);
    if (s->file)
        json_out_string(o, "file", s->file);
    if (s->kind == STAGE_REDUCE && s->fan_in)
        json_out_u64(o, "fan_in", s->fan_in);
    json_out_string(o, "failed", faileds[s->failed]);
    json_out_close(o);
}

static enum err batch_number(const char *where, const char *text, uint32_t *ret)
{
    uint64_t n = 0;
    if (!text || str_to_u64(text, INT32_MAX, &n) != ERR_OK || n == 0)
        return err_set(ERR_INVALID, "stage.%s is \"%.40s\", which is no batch", where, text ? text : "");
    *ret = (uint32_t)n;
    return ERR_OK;
}

static enum err batch_read(const struct json *stage, const char *key, uint32_t *ret)
{
    const char *text = NULL;
    enum err e = json_opt_string(stage, "stage", key, ID_TEXT_BYTES, NULL, &text);
    return e == ERR_OK && text ? batch_number(key, text, ret) : e;
}

static enum err after_read(const struct json *stage, struct stage_request *s)
{
    const struct json *list = NULL;
    enum err e = json_opt_array(stage, "stage", "after", STAGE_AFTER_MAX, &list);
    for (size_t i = 0; e == ERR_OK && list && i < json_count(list); i++) {
        const struct json *item = json_at(list, i);
        e = batch_number("after", json_kind(item) == JSON_IS_TEXT ? json_text(item) : NULL,
                         &s->after[s->after_count++]);
    }
    return e;
}

static enum err source_read(const struct json *stage, struct stage_request *s)
{
    for (enum stage_kind k = STAGE_EACH; k < STAGE_KINDS; k++) {
        uint32_t batch = 0;
        enum err e = batch_read(stage, kinds[k], &batch);
        if (e != ERR_OK)
            return e;
        if (batch && s->source)
            return err_set(ERR_INVALID, "stage has both %s and %s: one stage takes the answers of one",
                           kinds[s->kind], kinds[k]);
        if (batch) {
            s->kind = k;
            s->source = batch;
        }
    }
    return ERR_OK;
}

static enum err failed_read(const struct json *stage, struct stage_request *s)
{
    const char *word = NULL;
    enum err e = json_opt_string(stage, "stage", "failed", 16, "wait", &word);
    if (e != ERR_OK)
        return e;
    while (s->failed < STAGE_FAILEDS && !str_eq(word, faileds[s->failed]))
        s->failed++;
    return s->failed < STAGE_FAILEDS
               ? ERR_OK
               : err_set(ERR_INVALID, "stage.failed is \"%.16s\", must be wait, fail or skip", word);
}

enum err stage_read(const struct json *root, struct arena *a, struct stage_request *ret)
{
    static const char *const fields[] = {"graph",  "after", "each",   "lines",
                                         "reduce", "file",  "fan_in", "failed"};
    const struct json *stage;
    struct stage_request s = {.given = true};
    int64_t fan_in = 0;
    enum err e = json_opt_object(root, "", "stage", &stage);
    if (e != ERR_OK || !stage)
        return e;
    if ((e = json_only(stage, "stage", fields, sizeof fields / sizeof *fields)) != ERR_OK ||
        (e = batch_read(stage, "graph", &s.graph)) != ERR_OK || (e = after_read(stage, &s)) != ERR_OK ||
        (e = source_read(stage, &s)) != ERR_OK ||
        (e = text_read(stage, "stage", "file", PATH_BYTES_MAX, false, a, &s.file)) != ERR_OK ||
        (e = json_opt_i64(stage, "stage", "fan_in", 2, STAGE_FAN_IN_MAX, STAGE_FAN_IN_DEFAULT, &fan_in)) !=
            ERR_OK ||
        (e = failed_read(stage, &s)) != ERR_OK)
        return e;
    if (s.kind == STAGE_LINES && !s.file)
        return err_set(ERR_INVALID, "stage.lines needs stage.file: the output whose lines become units");
    s.fan_in = (uint32_t)fan_in;
    *ret = s;
    return ERR_OK;
}
