/* provenance.c - see provenance.h */
#include "client/cli/provenance.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "client/cli/api.h"
#include "client/cli/proof.h"

enum err provenance_project(struct cli *c, struct buf *out)
{
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = api_get(c, "/v1/project", &doc);
    if (e == ERR_OK)
        e = buf_add_text(out, "{\"project\":");
    if (e == ERR_OK)
        e = json_dump(json_root(doc), out);
    return e == ERR_OK ? buf_add_text(out, "}\n") : e;
}

/* *from moves on by the units of the page. */
static enum err get_page(struct cli *c, uint64_t batch, uint64_t *from, struct net_reply *reply,
                         bool *ret_last)
{
    char path[96];
    uint32_t count = 0;
    snprintf(path, sizeof path, "/v1/batches/%llu/provenance?from=%llu", (unsigned long long)batch,
             (unsigned long long)*from);
    struct net_request request = {.method = "GET", .url = path};
    enum err e = api_do(c, &request, reply);
    if (e == ERR_OK)
        e = proof_page_peek(buf_text(&reply->body), reply->body.len, &count, ret_last);
    *from += count;
    if (e == ERR_OK && count == 0 && !*ret_last)
        e = err_set(ERR_CONFLICT, "batch %llu is not done: its provenance is complete when it is",
                    (unsigned long long)batch);
    return e;
}

static enum err write_all(struct cli *c, FILE *f, const struct buf *text)
{
    if (fwrite(text->data, 1, text->len, f) == text->len)
        return ERR_OK;
    return f == c->out ? cli_output_error(c) : err_set_errno(ERR_IO, "cannot write the provenance");
}

static enum err fetch(struct cli *c, uint64_t batch, FILE *f)
{
    BUF_AUTO struct buf project = {.bytes_max = PROOF_BYTES_MAX};
    uint64_t from = 0;
    bool last = false;
    enum err e = provenance_project(c, &project);
    while (e == ERR_OK && !last) {
        struct net_reply reply = {0};
        bool first = from == 0;
        e = get_page(c, batch, &from, &reply, &last);
        if (e == ERR_OK && first) /* not before it is known that there is something to prove */
            e = write_all(c, f, &project);
        if (e == ERR_OK)
            e = write_all(c, f, &reply.body);
        net_reply_done(&reply);
    }
    return e;
}

enum err provenance_save(struct cli *c, uint64_t batch, const char *path)
{
    char part[4096];
    if (!path)
        return fetch(c, batch, c->out);
    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return err_set(ERR_LIMIT, "the path %.200s... is too long", path);
    FILE *f = fopen(part, "wbe");
    if (!f)
        return err_set_errno(ERR_IO, "cannot create %s", part);
    enum err e = fetch(c, batch, f);
    if (fflush(f) != 0 || fsync(fileno(f)) != 0)
        e = e == ERR_OK ? err_set_errno(ERR_IO, "cannot write %s", part) : e;
    fclose(f);
    if (e == ERR_OK && rename(part, path) != 0)
        e = err_set_errno(ERR_IO, "cannot rename %s", part);
    if (e != ERR_OK)
        unlink(part);
    return e;
}
