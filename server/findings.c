#include "server/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/try.h"

const char *finding_level_name(enum finding_level level)
{
    static const char *const names[] = {"ok", "warn", "error"};
    return names[level];
}

static struct finding *place_for(struct findings *f, enum finding_level level)
{
    if (f->count < FINDINGS_MAX)
        return &f->list[f->count++];
    for (uint32_t i = FINDINGS_MAX; i-- > 0;)
        if (f->list[i].level < level)
            return &f->list[i];
    return NULL;
}

void findings_add(struct findings *f, enum finding_level level, const char *name, const char *remedy,
                  const char *what, ...)
{
    struct finding *to = place_for(f, level);
    va_list args;
    if (!to)
        return;
    to->level = level;
    snprintf(to->name, sizeof to->name, "%s", name);
    snprintf(to->remedy, sizeof to->remedy, "%s", remedy);
    va_start(args, what);
    vsnprintf(to->what, sizeof to->what, what, args);
    va_end(args);
}

enum finding_level findings_worst(const struct findings *f)
{
    enum finding_level worst = FINDING_OK;
    for (uint32_t i = 0; i < f->count; i++)
        worst = f->list[i].level > worst ? f->list[i].level : worst;
    return worst;
}

void findings_sort(struct findings *f)
{
    for (uint32_t i = 1; i < f->count; i++) {
        struct finding moved = f->list[i];
        uint32_t at = i;
        for (; at > 0 && f->list[at - 1].level < moved.level; at--)
            f->list[at] = f->list[at - 1];
        f->list[at] = moved;
    }
}

enum err findings_print(const struct findings *f, struct buf *out)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct finding *x = &f->list[i];
        TRY(buf_printf(out, "%-6s %-12s %s\n", finding_level_name(x->level), x->name, x->what));
        if (x->remedy[0])
            TRY(buf_printf(out, "%-19s -> %s\n", "", x->remedy));
    }
    return ERR_OK;
}

void findings_write(const struct findings *f, bool well, struct json_out *o)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct finding *x = &f->list[i];
        if (x->level == FINDING_OK && !well)
            continue;
        json_out_object(o, NULL);
        json_out_string(o, "level", finding_level_name(x->level));
        json_out_string(o, "name", x->name);
        json_out_string_len(o, "what", x->what, strlen(x->what));
        if (x->remedy[0])
            json_out_string_len(o, "remedy", x->remedy, strlen(x->remedy));
        json_out_close(o);
    }
}
