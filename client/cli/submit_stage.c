/* submit_stage.c - a submission that takes up another batch's answers, or waits for it */
#include "base/str.h"
#include "client/cli/submit.h"

static enum err read_batch(const char *name, const char *text, uint32_t *ret)
{
    uint64_t id;
    if (str_to_u64(text, INT32_MAX, &id) != ERR_OK || id == 0)
        return err_set(ERR_INVALID, "--%s is '%.40s': give a batch's number, see dugnad ls", name, text);
    *ret = (uint32_t)id;
    return ERR_OK;
}

static enum err read_source(const struct args *a, struct stage_request *r)
{
    static const struct {
        const char *name;
        enum stage_kind kind;
    } kinds[] = {{"for-each", STAGE_EACH}, {"for-lines", STAGE_LINES}, {"reduce", STAGE_REDUCE}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *text = args_text(a, kinds[i].name, NULL);
        if (!text)
            continue;
        if (r->source)
            return err_set(ERR_INVALID,
                           "one of --for-each, --for-lines and --reduce says where units come from");
        r->kind = kinds[i].kind;
        enum err e = read_batch(kinds[i].name, text, &r->source);
        if (e != ERR_OK)
            return e;
    }
    r->file = args_text(a, "take", NULL);
    if (r->kind == STAGE_LINES && !r->file)
        return err_set(ERR_INVALID, "--for-lines needs --take FILE: the output whose lines become units");
    return r->source || !(r->file || args_flag(a, "fan-in"))
               ? ERR_OK
               : err_set(ERR_INVALID, "--take and --fan-in go with --for-each, --for-lines and --reduce");
}

static enum err read_failed(const char *word, enum stage_failed *ret)
{
    for (int i = 0; i < STAGE_FAILEDS; i++) {
        *ret = (enum stage_failed)i;
        if (str_eq(word, stage_failed_name(*ret)))
            return ERR_OK;
    }
    return err_set(ERR_INVALID, "--if-failed is '%.40s': give wait, fail or skip", word);
}

enum err submit_stage(struct submit *s)
{
    struct stage_request *r = &s->request.stage;
    const char *failed = args_text(s->args, "if-failed", NULL), *text;
    int64_t fan_in;
    enum err e = read_source(s->args, r);
    if (e == ERR_OK && args_count(s->args, "after") > STAGE_AFTER_MAX)
        e = err_set(ERR_LIMIT, "--after can be given %d times at most", STAGE_AFTER_MAX);
    for (; e == ERR_OK && (text = args_each(s->args, "after", r->after_count)); r->after_count++)
        e = read_batch("after", text, &r->after[r->after_count]);
    if (e == ERR_OK)
        e = args_i64(s->args, "fan-in", 2, STAGE_FAN_IN_MAX, STAGE_FAN_IN_DEFAULT, &fan_in);
    if (e == ERR_OK && failed)
        e = read_failed(failed, &r->failed);
    if (e != ERR_OK)
        return e;
    r->fan_in = (uint32_t)fan_in;
    r->given = r->source || r->after_count;
    s->staged = r->source != 0;
    return r->given || !failed
               ? ERR_OK
               : err_set(ERR_INVALID, "--if-failed is about the batch that --after or --for-each names");
}
