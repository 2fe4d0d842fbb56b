#include "wire/launch.h"

#include "base/str.h"
#include "wire/items.h"

static enum err fill_word(const struct spec *spec, const char *word, struct arena *a, const char **ret)
{
    BUF_AUTO struct buf out = {0};
    enum err e = template_fill(word, spec->vars, spec->var_count, &out);
    if (e == ERR_OK && !(*ret = arena_text(a, buf_text(&out))))
        e = ERR_NOMEM;
    return e;
}

static enum err add(struct arena *a, const char *name, const char *value, const char **ret)
{
    BUF_AUTO struct buf text = {0};
    enum err e = buf_printf(&text, "%s=%s", name, value);
    if (e == ERR_OK && !(*ret = arena_text(a, buf_text(&text))))
        e = ERR_NOMEM;
    return e;
}

static bool is_set(const struct order *o, const char *name)
{
    for (uint32_t i = 0; i < o->env_count; i++)
        if (str_eq(o->env[i].name, name))
            return true;
    return false;
}

/* The order's variables win over the app's, and an audit over both. */
static enum err make_env(const struct manifest *m, const struct order *o, const char *audit, struct arena *a,
                         const char ***ret)
{
    const char **list = arena_array(a, m->env_count + o->env_count + 2, sizeof *list);
    enum err e = list ? ERR_OK : ERR_NOMEM;
    uint32_t n = 0;
    for (uint32_t i = 0; e == ERR_OK && i < m->env_count; i++)
        if (!is_set(o, m->env[i].name) && !str_eq(m->env[i].name, AUDIT_ENVIRONMENT))
            e = add(a, m->env[i].name, m->env[i].value, &list[n++]);
    for (uint32_t i = 0; e == ERR_OK && i < o->env_count; i++)
        if (!str_eq(o->env[i].name, AUDIT_ENVIRONMENT))
            e = add(a, o->env[i].name, o->env[i].value, &list[n++]);
    if (e == ERR_OK && audit)
        e = add(a, AUDIT_ENVIRONMENT, audit, &list[n++]);
    *ret = list;
    return e;
}

enum err launch_words(const struct manifest *m, const struct order *o, const struct spec *spec,
                      const char *audit, struct arena *a, const char ***ret_argv, const char ***ret_env)
{
    const char **argv = arena_array(a, m->entry_count + o->command_count + 1, sizeof *argv);
    enum err e = argv ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; e == ERR_OK && i < m->entry_count; i++)
        argv[i] = m->entry[i];
    for (uint32_t i = 0; e == ERR_OK && i < o->command_count; i++)
        e = fill_word(spec, o->command[i], a, &argv[m->entry_count + i]);
    if (e == ERR_OK)
        e = make_env(m, o, audit, a, ret_env);
    if (e == ERR_OK)
        *ret_argv = argv;
    return e;
}
