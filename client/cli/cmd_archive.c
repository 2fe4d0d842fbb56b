/* cmd_archive.c - `dugnad archive get`: the file that an old batch has become */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/blob.h"
#include "client/cli/commands.h"
#include "wire/parts.h"

static const struct cli_option get_options[] = {
    {"out", 'o', "FILE", "write it here; default: batch-BATCH.ndjson.gz", NULL, false},
};

static enum err run_cmd_archive_get(struct cli *c, const struct args *a)
{
    char path[96], file[96], size[32];
    JSON_AUTO struct json_doc *doc = NULL;
    struct digest digest;
    uint64_t batch;
    int64_t bytes, units;
    enum err e = str_to_u64(a->words[0], UINT32_MAX, &batch);
    if (e != ERR_OK)
        return err_set(ERR_INVALID, "'%.60s' is no batch: a batch is a number", a->words[0]);
    snprintf(path, sizeof path, "/v1/batches/%llu/archive", (unsigned long long)batch);
    snprintf(file, sizeof file, "batch-%llu.ndjson.gz", (unsigned long long)batch);
    if ((e = api_get(c, path, &doc)) != ERR_OK ||
        (e = digest_read(json_root(doc), "reply", "sha256", &digest)) != ERR_OK ||
        (e = json_get_i64(json_root(doc), "reply", "bytes", 0, (int64_t)BLOB_BYTES_MAX, &bytes)) != ERR_OK ||
        (e = json_get_i64(json_root(doc), "reply", "units", 0, INT64_MAX, &units)) != ERR_OK)
        return e;
    const char *to = args_text(a, "out", file);
    if ((e = blob_get(c, &digest, (uint64_t)bytes, to)) != ERR_OK)
        return e;
    str_from_bytes((uint64_t)bytes, size, sizeof size);
    cli_say(c, "%s: batch %llu with its %lld units, %s; zcat shows it", to, (unsigned long long)batch,
            (long long)units, size);
    return ERR_OK;
}

const struct cli_command cmd_archive_get = {
    .words = "archive get",
    .usage = "BATCH",
    .summary = "fetch an old batch that has left the database: a line for each unit, gzipped",
    .options = get_options,
    .option_count = sizeof get_options / sizeof *get_options,
    .words_min = 1,
    .words_max = 1,
    .run = run_cmd_archive_get};
