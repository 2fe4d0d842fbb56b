/* submit_app.c - the app of a submission on this machine, and one unit of it as a job for the sandbox here */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/blob.h"
#include "client/cli/parts.h"
#include "client/cli/submit.h"
#include "wire/order.h"

/* ~/.cache/dugnad/APP-DIGEST, made when it is missing. */
static enum err cache_folder(const char *app, const char *digest, char ret[APP_FILE_PATH_BYTES])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n;
    if (cache && *cache)
        n = snprintf(ret, APP_FILE_PATH_BYTES, "%s/dugnad/%s-%.16s", cache, app, digest);
    else if (home && *home)
        n = snprintf(ret, APP_FILE_PATH_BYTES, "%s/.cache/dugnad/%s-%.16s", home, app, digest);
    else
        return err_set(ERR_INVALID,
                       "neither XDG_CACHE_HOME nor HOME is set: name a packed app with --bundle");
    if (n >= APP_FILE_PATH_BYTES - 32)
        return err_set(ERR_LIMIT, "the path %.200s... is too long", ret);
    return file_make_folders(ret, 0755);
}

struct wanted {
    struct submit *submit;
    int64_t version; /* the best so far */
    char release[DIGEST_TEXT_BYTES];
};

static enum err look(void *ctx, const struct json *item)
{
    struct wanted *w = ctx;
    uint32_t asked = w->submit->request.version;
    const char *release = json_text(json_field(item, "release"));
    int64_t version = json_int(json_field(item, "version"), 0);
    bool fits = release && str_eq(json_text(json_field(item, "platform")), platform_here()) &&
                !json_is_set(json_field(item, "retired")) && (!asked || version == (int64_t)asked);
    if (fits && version > w->version) {
        w->version = version;
        snprintf(w->release, sizeof w->release, "%s", release);
    }
    return ERR_OK;
}

static enum err fetch_release(struct cli *c, const char *digest, const char *to)
{
    char path[DIGEST_TEXT_BYTES + 32];
    struct net_reply reply = {0};
    snprintf(path, sizeof path, "/v1/releases/%s", digest);
    struct net_request request = {.method = "GET", .url = path, .timeout_s = 120};
    enum err e = api_do(c, &request, &reply);
    if (e == ERR_OK)
        e = file_write_atomic(to, buf_text(&reply.body), reply.body.len, 0644);
    net_reply_done(&reply);
    return e;
}

/* The bundle is named by its digest in the release, and checked against it: neither can be another than what
 * the server hands to volunteers. */
enum err submit_app_get(struct cli *c, const char *name, const char *digest, struct submit_app *ret)
{
    char folder[APP_FILE_PATH_BYTES], release[APP_FILE_PATH_BYTES + 32];
    bool is_signed;
    enum err e = cache_folder(name, digest, folder);
    if (e != ERR_OK)
        return e;
    snprintf(release, sizeof release, "%s/release.signed.json", folder);
    snprintf(ret->bundle, sizeof ret->bundle, "%.4000s/bundle.tar", folder);
    if (!file_exists(release) && (e = fetch_release(c, digest, release)) != ERR_OK)
        return e;
    e = app_file_read(release, &c->arena, &ret->file, &ret->payload, &is_signed, &ret->release);
    if (e != ERR_OK || !str_eq(ret->release.platform, platform_here()))
        return e;
    return blob_get(c, &ret->release.bundle, ret->release.bundle_bytes, ret->bundle);
}

static enum err fetch(struct submit *s, struct submit_app *app)
{
    struct wanted w = {.submit = s};
    char path[NAME_BYTES_MAX + 32];
    snprintf(path, sizeof path, "/v1/apps/%s", s->request.app);
    enum err e = api_pages(s->cli, path, 0, look, &w);
    if (e == ERR_OK && !w.version)
        e = err_set(ERR_MISSING, "%s has no release for %s, this machine: it can be tried only where it runs",
                    s->request.app, platform_here());
    return e == ERR_OK ? submit_app_get(s->cli, s->request.app, w.release, app) : e;
}

enum err submit_app_open(struct submit *s, struct submit_app *ret)
{
    char beside[APP_FILE_PATH_BYTES];
    const char *given = args_text(s->args, "bundle", NULL);
    bool is_signed;
    enum err e;
    memset(ret, 0, sizeof *ret);
    if (!given)
        return fetch(s, ret);
    e = app_file_find(given, NULL, ret->bundle, beside);
    if (e == ERR_OK)
        e = app_file_read(beside, &s->cli->arena, &ret->file, &ret->payload, &is_signed, &ret->release);
    return e == ERR_OK ? app_file_check(&ret->release, ret->bundle) : e;
}

void submit_app_done(struct submit_app *app)
{
    buf_done(&app->file);
    buf_done(&app->payload);
}

struct unit {
    struct variable vars[UNITS_VARS_MAX];
    uint32_t var_count;
    const char *file;
};

static enum err fill(const struct unit *u, const char *text, struct arena *a, const char **ret)
{
    BUF_AUTO struct buf out = {0};
    enum err e = template_fill(text, u->vars, u->var_count, &out);
    if (e == ERR_OK && !(*ret = arena_text(a, buf_text(&out))))
        e = ERR_NOMEM;
    return e;
}

static enum err fill_command(const struct submit *s, const struct unit *u, struct arena *a,
                             struct local_job *job)
{
    uint32_t count = s->request.command_count;
    enum err e = ERR_OK;
    if (!(job->command = arena_array(a, count + 1, sizeof *job->command)))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count && e == ERR_OK; i++)
        e = fill(u, s->request.command[i], a, &job->command[i]);
    job->command_count = count;
    return e;
}

static enum err fill_inputs(const struct submit *s, const struct unit *u, struct arena *a,
                            struct local_job *job)
{
    struct local_input *list = arena_array(a, args_count(s->args, "input") + 1, sizeof *list);
    const char *text, *filled = NULL;
    enum err e = ERR_OK;
    if (!list)
        return ERR_NOMEM;
    if (u->file)
        list[job->input_count++] = (struct local_input){u->file, u->vars[u->var_count - 3].value};
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(s->args, "input", i)); i++) {
        struct local_input *in = &list[job->input_count++];
        e = strchr(text, '{') ? fill(u, text, a, &filled) : ERR_OK;
        if (e == ERR_OK)
            e = parts_file("input", strchr(text, '{') ? filled : text, a, &in->from, &in->path);
    }
    job->inputs = list;
    return e;
}

enum err submit_job(struct submit *s, const struct submit_app *app, uint64_t i, struct arena *a,
                    struct local_job *ret)
{
    struct unit u;
    *ret = (struct local_job){.bundle = app->bundle,
                              .manifest = &app->release.manifest,
                              .limits = s->request.limits,
                              .env = s->request.env,
                              .env_count = s->request.env_count,
                              .stdin_path = s->request.stdin_path};
    enum err e = units_vars(&s->units, i, a, u.vars, &u.var_count, &u.file);
    if (e == ERR_OK)
        e = fill_command(s, &u, a, ret);
    return e == ERR_OK ? fill_inputs(s, &u, a, ret) : e;
}
