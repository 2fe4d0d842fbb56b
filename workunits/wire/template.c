/* template.c - filling {NAME} into the words of a command, see order.h. No shell, and one pass: what is
 * filled in is never looked at again. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "wire/order.h"

static const char *value_of(const char *name, size_t len, const struct variable *vars, uint32_t var_count)
{
    for (uint32_t i = 0; i < var_count; i++)
        if (strlen(vars[i].name) == len && memcmp(vars[i].name, name, len) == 0)
            return vars[i].value;
    return NULL;
}

static enum err fill_name(const char **at, const struct variable *vars, uint32_t var_count, const char *word,
                          struct buf *out)
{
    const char *name = *at + 1, *end = strchr(name, '}');
    if (!end)
        return err_set(ERR_INVALID, "'%.80s' has a '{' without '}': write {{ for a brace", word);
    const char *value = value_of(name, (size_t)(end - name), vars, var_count);
    if (!value)
        return err_set(ERR_INVALID, "'%.80s' names the variable '%.*s', which the unit does not have", word,
                       (int)(end - name < 60 ? end - name : 60), name);
    *at = end + 1;
    return buf_add_text(out, value);
}

enum err template_fill(const char *word, const struct variable *vars, uint32_t var_count, struct buf *out)
{
    enum err e = ERR_OK;
    for (const char *at = word; *at && e == ERR_OK;) {
        if ((at[0] == '{' && at[1] == '{') || (at[0] == '}' && at[1] == '}')) {
            e = buf_add_char(out, *at);
            at += 2;
        } else if (*at == '{') {
            e = fill_name(&at, vars, var_count, word, out);
        } else if (*at == '}') {
            e = err_set(ERR_INVALID, "'%.80s' has a '}' without '{': write }} for a brace", word);
        } else {
            size_t plain = strcspn(at, "{}");
            e = buf_add(out, at, plain);
            at += plain;
        }
    }
    return e;
}

enum err template_check(const char *const *words, uint32_t word_count, const struct variable *vars,
                        uint32_t var_count)
{
    BUF_AUTO struct buf filled = {.bytes_max = WU_ARGS_MAX * WU_SPEC_BYTES_MAX};
    for (uint32_t i = 0; i < word_count; i++) {
        enum err e = template_fill(words[i], vars, var_count, &filled);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}
