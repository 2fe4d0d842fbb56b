/* cmd_cat.c - `dugnad cat UNIT [PATH]`: one output of a unit's accepted answer, to standard output */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/blob.h"
#include "client/cli/commands.h"

static enum err list_paths(const struct json *outputs, struct buf *out)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < json_count(outputs); i++) {
        const char *path = json_text(json_field(json_at(outputs, i), "path"));
        e = buf_printf(out, "%s%.200s", i ? ", " : "", path ? path : "");
    }
    return e;
}

/* The one that is named, or the only one. */
static enum err choose(const struct json *outputs, const char *unit, const char *path,
                       const struct json **ret)
{
    BUF_AUTO struct buf names = {0};
    if (!path && json_count(outputs) == 1) {
        *ret = json_at(outputs, 0);
        return ERR_OK;
    }
    for (size_t i = 0; path && i < json_count(outputs); i++)
        if (str_eq(json_text(json_field(json_at(outputs, i), "path")), path)) {
            *ret = json_at(outputs, i);
            return ERR_OK;
        }
    enum err e = list_paths(outputs, &names);
    if (e != ERR_OK)
        return e;
    return err_set(ERR_INVALID, "unit %s has the outputs %s: name one of them", unit, buf_text(&names));
}

static enum err print_file(struct cli *c, const char *path)
{
    char piece[65536];
    enum err e = ERR_OK;
    size_t got;
    FILE *f = fopen(path, "rbe");
    if (!f)
        return err_set_errno(ERR_IO, "cannot read %s", path);
    while (e == ERR_OK && (got = fread(piece, 1, sizeof piece, f)) > 0)
        if (fwrite(piece, 1, got, c->out) != got)
            e = cli_output_error(c);
    fclose(f);
    return e;
}

static enum err print_blob(struct cli *c, const struct digest *digest, uint64_t bytes)
{
    const char *temp = getenv("TMPDIR");
    char folder[4096], path[4200];
    snprintf(folder, sizeof folder, "%.3000s/dugnad-cat-XXXXXX", temp && *temp ? temp : "/tmp");
    if (!mkdtemp(folder))
        return err_set_errno(ERR_IO, "cannot make a folder in %s", temp && *temp ? temp : "/tmp");
    snprintf(path, sizeof path, "%s/out", folder);
    enum err e = blob_get(c, digest, bytes, path);
    if (e == ERR_OK)
        e = print_file(c, path);
    unlink(path);
    rmdir(folder);
    return e;
}

static enum err print_data(struct cli *c, const char *data, const struct digest *digest)
{
    BUF_AUTO struct buf bytes = {.bytes_max = JSON_BODY_BYTES_MAX};
    enum err e = str_unbase64(data, strlen(data), &bytes);
    if (e != ERR_OK)
        return e;
    struct digest got = hash_bytes(buf_text(&bytes), bytes.len);
    if (!digest_eq(&got, digest))
        return err_set(ERR_UNTRUSTED, "what the server sent is not what its digest names");
    return fwrite(buf_text(&bytes), 1, bytes.len, c->out) == bytes.len ? ERR_OK : cli_output_error(c);
}

static enum err print_output(struct cli *c, const struct json *output)
{
    const char *hex, *data;
    struct digest digest;
    int64_t bytes;
    enum err e;
    if ((e = json_get_string(output, "outputs", "sha256", DIGEST_TEXT_BYTES, &hex)) != ERR_OK ||
        (e = digest_parse(hex, &digest)) != ERR_OK ||
        (e = json_get_i64(output, "outputs", "bytes", 0, (int64_t)BLOB_BYTES_MAX, &bytes)) != ERR_OK ||
        (e = json_opt_string(output, "outputs", "data", JSON_BODY_BYTES_MAX, NULL, &data)) != ERR_OK)
        return e;
    return data ? print_data(c, data, &digest) : print_blob(c, &digest, (uint64_t)bytes);
}

static enum err run_cmd_cat(struct cli *c, const struct args *a)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *outputs, *output = NULL;
    char path[100];
    wu_id unit;
    if (wu_id_parse(a->words[0], &unit) != ERR_OK)
        return err_set(
            ERR_INVALID,
            "'%.60s' is no unit: a unit is BATCH.INDEX such as 7.12; dugnad results BATCH --merge FILE puts "
            "the answers of all its units together",
            a->words[0]);
    snprintf(path, sizeof path, "/v1/units/%s?data=true", a->words[0]);
    enum err e = api_get(c, path, &doc);
    if (e != ERR_OK)
        return e;
    outputs = json_field(json_root(doc), "outputs");
    if (!outputs || json_kind(outputs) != JSON_IS_ARRAY)
        return err_set(ERR_MISSING,
                       "unit %s has no answer: dugnad explain %s says why, dugnad show %s what was tried",
                       a->words[0], a->words[0], a->words[0]);
    bool purged = json_is_set(json_field(json_root(doc), "purged"));
    e = choose(outputs, a->words[0], a->word_count > 1 ? a->words[1] : NULL, &output);
    if (e == ERR_OK && (e = print_output(c, output)) == ERR_MISSING && purged)
        e = err_set(e, "the answer of unit %s was removed: its batch was purged", a->words[0]);
    return e;
}

const struct cli_command cmd_cat = {.words = "cat",
                                    .usage = "UNIT [PATH]",
                                    .summary = "print an output of one unit's answer",
                                    .details = "PATH is needed where the answer has several outputs.\n\n"
                                               "  dugnad cat 7.12\n"
                                               "  dugnad cat last.0 hits.txt | head",
                                    .words_min = 1,
                                    .words_max = 2,
                                    .run = run_cmd_cat};
