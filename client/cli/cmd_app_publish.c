/* cmd_app_publish.c - `dugnad app publish|ls|show|retire` */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/app_file.h"
#include "client/cli/blob.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"

static const struct show_column release_columns[] = {
    {"app|name", "App", SHOW_TEXT},
    {"version", "Version", SHOW_TEXT},
    {"platform|platforms", "Platform", SHOW_TEXT},
    {"title", "What it is", SHOW_TEXT},
    {"bytes|bundle_bytes", "Bundle", SHOW_BYTES},
    {"digest|release", "Release", SHOW_SHORT},
    {"created_ms", "Published", SHOW_TIME},
};
#define RELEASE_COLUMNS (sizeof release_columns / sizeof *release_columns)

static void progress(void *ctx, uint64_t done, uint64_t bytes)
{
    char text[64], size[32];
    str_from_bytes(done, size, sizeof size);
    snprintf(text, sizeof text, "uploaded %s", size);
    show_bar_draw(ctx, bytes ? (double)done / (double)bytes : 1, text, clock_mono_ms());
}

static enum err upload(struct cli *c, const char *bundle, const struct release *r)
{
    struct show_bar bar;
    show_bar_init(&bar, c);
    enum err e = blob_put(c, bundle, &r->bundle, r->bundle_bytes, progress, &bar, NULL);
    show_bar_end(&bar);
    return e;
}

static enum err run_cmd_app_publish(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf file = {0}, payload = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    char bundle[APP_FILE_PATH_BYTES] = "", key[DIGEST_TEXT_BYTES];
    struct release r;
    bool is_signed = false;
    enum err e = app_file_read(a->words[0], &c->arena, &file, &payload, &is_signed, &r);
    if (e == ERR_OK && !is_signed)
        e = err_set(ERR_INVALID, "%s is not signed yet: dugnad app sign %s --key FILE", a->words[0],
                    a->words[0]);
    if (e != ERR_OK)
        return e;
    if (a->word_count > 1)
        snprintf(bundle, sizeof bundle, "%.4000s", a->words[1]);
    else
        app_file_bundle(a->words[0], bundle);
    if (!*bundle)
        return err_set(ERR_MISSING, "there is no bundle.tar beside %s: name it as the second word",
                       a->words[0]);
    struct digest digest = hash_bytes(buf_text(&file), file.len);
    digest_text(&digest, key); /* the same envelope is the same request */
    if ((e = app_file_check(&r, bundle)) != ERR_OK || (e = upload(c, bundle, &r)) != ERR_OK ||
        (e = api_send(c, "POST", "/v1/releases", &file, key, &doc)) != ERR_OK)
        return e;
    cli_say(c, "%s %u is published for %s", r.app, r.version, r.platform);
    cli_say(c, "next: dugnad submit %s --each-file 'FOLDER/*' --dry-run -- {}", r.app);
    return c->json && doc ? show_json(c, json_root(doc)) : ERR_OK;
}

static enum err run_cmd_app_ls(struct cli *c, const struct args *a)
{
    (void)a;
    return show_list(c, "/v1/apps", release_columns, RELEASE_COLUMNS, 0,
                     "no app yet: dugnad app pack PROGRAM makes one");
}

static enum err run_cmd_app_show(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0}, text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = buf_add_text(&path, "/v1/apps/");
    if (e == ERR_OK)
        e = api_escape(a->words[0], &path);
    if (e == ERR_OK)
        e = api_get(c, buf_text(&path), &doc);
    if (e != ERR_OK || c->json)
        return e == ERR_OK ? show_json(c, json_root(doc)) : e;
    struct json_out o; /* manifests are nested: JSON is the plainest text there is for them */
    json_out_init(&o, &text);
    o.pretty = true;
    json_out_value(&o, NULL, json_root(doc));
    e = json_out_end(&o);
    if (e == ERR_OK)
        show_block(c->out, buf_text(&text), text.len, "");
    return e;
}

/* --- retiring --- */

struct retiring {
    struct cli *cli;
    int64_t version;
    const char *platform; /* NULL: all */
    uint64_t count;
};

static enum err retire_release(void *ctx, const struct json *item)
{
    struct retiring *r = ctx;
    const char *platform = json_text(json_field(item, "platform")),
               *digest = json_text(json_field(item, "release"));
    char path[40 + DIGEST_TEXT_BYTES];
    if (json_int(json_field(item, "version"), 0) != r->version || json_is_set(json_field(item, "retired")) ||
        !digest || (r->platform && !str_eq(platform ? platform : "", r->platform)))
        return ERR_OK;
    snprintf(path, sizeof path, "/v1/releases/%.64s", digest);
    enum err e = api_send(r->cli, "DELETE", path, NULL, NULL, NULL);
    r->count += e == ERR_OK;
    return e;
}

static enum err run_cmd_app_retire(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    struct retiring r = {.cli = c, .platform = args_text(a, "platform", NULL)};
    if (str_to_i64(a->words[1], 1, INT32_MAX, &r.version) != ERR_OK)
        return err_set(ERR_INVALID, "'%.40s' is no version: it is a number, dugnad app ls shows them",
                       a->words[1]);
    enum err e = buf_add_text(&path, "/v1/apps/");
    if (e == ERR_OK)
        e = api_escape(a->words[0], &path);
    if (e == ERR_OK)
        e = api_pages(c, buf_text(&path), 0, retire_release, &r);
    if (e == ERR_OK && r.count == 0)
        e = err_set(ERR_MISSING, "%.64s has no version %s that is in use%s%.60s: dugnad app ls", a->words[0],
                    a->words[1], r.platform ? " for " : "", r.platform ? r.platform : "");
    if (e == ERR_OK)
        cli_say(c, "no new batch uses %s %s any more; those that run go on", a->words[0], a->words[1]);
    return e;
}

static const struct cli_option retire_options[] = {
    {"platform", 0, "NAME", "only the release for this platform", NULL, false},
};
CLI_COMMAND(cmd_app_retire, "app retire", "NAME VERSION", "let no new batch use a version of an app",
            "Batches that run go on with it.\n\n  dugnad app retire hmmsearch 1", retire_options, 2, 2,
            false);

const struct cli_command cmd_app_publish = {
    .words = "app publish",
    .usage = "ENVELOPE [BUNDLE]",
    .summary = "upload a signed app, so that batches can use it",
    .details = "  dugnad app publish hmmsearch-1/release.signed.json",
    .words_min = 1,
    .words_max = 2,
    .run = run_cmd_app_publish,
};
const struct cli_command cmd_app_ls = {
    .words = "app ls", .usage = "", .summary = "list the published apps", .run = run_cmd_app_ls};
const struct cli_command cmd_app_show = {.words = "app show",
                                         .usage = "NAME",
                                         .summary = "tell about one app",
                                         .words_min = 1,
                                         .words_max = 1,
                                         .run = run_cmd_app_show};
