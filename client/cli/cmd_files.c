/* cmd_files.c - `dugnad files ls|free`: what one stores, and giving back what nothing needs */
#include <stdio.h>

#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"

#define COUNT(list) (sizeof list / sizeof *list)

static const struct show_column columns[] = {
    {"sha256", "File", SHOW_TEXT},
    {"bytes", "Size", SHOW_BYTES},
    {"needed", "Needed", SHOW_TEXT},
    {"goes_ms", "Goes", SHOW_TIME},
};

static const struct show_column freed_columns[] = {
    {"files", "files given back", SHOW_COUNT},
    {"bytes", "bytes given back", SHOW_BYTES},
    {"blob_bytes", "stored", SHOW_BYTES},
    {"blob_bytes_max", "quota", SHOW_BYTES},
};

static const struct cli_option list_options[] = {
    {"user", 'u', "USER", "whose, by number: for operators", NULL, false},
    {"limit", 'l', "N", "at most so many; default: all", NULL, false},
};
static const struct cli_option free_options[] = {
    {"user", 'u', "USER", "whose, by number: for operators", NULL, false},
};

static enum err path_of(const struct args *a, const char *path, struct buf *ret)
{
    const char *user = args_text(a, "user", NULL);
    enum err e = buf_add_text(ret, path);
    if (e == ERR_OK && user)
        e = buf_add_text(ret, "?user=");
    return e == ERR_OK && user ? api_escape(user, ret) : e;
}

static enum err run_cmd_files_ls(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    int64_t most;
    enum err e = args_i64(a, "limit", 0, INT32_MAX, 0, &most);
    if (e == ERR_OK)
        e = path_of(a, "/v1/files", &path);
    return e == ERR_OK ? show_list(c, buf_text(&path), columns, COUNT(columns), (uint64_t)most,
                                   "nothing that was sent is stored")
                       : e;
}

static enum err run_cmd_files_free(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = path_of(a, "/v1/files/free", &path);
    if (e == ERR_OK)
        e = api_send(c, "POST", buf_text(&path), NULL, NULL, &doc);
    return e == ERR_OK ? show_object(c, json_root(doc), freed_columns, COUNT(freed_columns)) : e;
}

CLI_COMMAND(
    cmd_files_ls, "files ls", "",
    "what was sent and counts against the quota: is it needed by a batch, schedule or release, and if "
    "not, when does it go?",
    NULL, list_options, 0, 0, false);
CLI_COMMAND(cmd_files_free, "files free", "",
            "give back now what no batch, schedule or release needs; a submission under way sends it again",
            NULL, free_options, 0, 0, false);
