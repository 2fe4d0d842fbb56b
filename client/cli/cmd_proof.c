/* cmd_proof.c - `dugnad provenance`, `dugnad receipt`, `dugnad verify`: what others can check without the
 * server */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/proof.h"
#include "client/cli/provenance.h"

static const struct cli_option save_options[] = {
    {"out", 'o', "FILE", "write it here; else to standard output", NULL, false},
};

static const struct cli_option verify_options[] = {
    {"key", 0, "KEY", "the project's key, as its join link names it; else it is shown for you to compare",
     NULL, false},
    {"results", 0, "FOLDER", "also check that the downloaded answers are those that were accepted", NULL,
     false},
};

static enum err get_text(struct cli *c, const char *path, struct buf *out)
{
    struct net_request request = {.method = "GET", .url = path};
    struct net_reply reply = {0};
    enum err e = api_do(c, &request, &reply);
    if (e == ERR_OK)
        e = buf_add(out, reply.body.data, reply.body.len);
    net_reply_done(&reply);
    return e;
}

static enum err save(struct cli *c, const struct args *a, const struct buf *text)
{
    const char *path = args_text(a, "out", NULL);
    if (path)
        return file_write_atomic(path, text->data, text->len, 0644);
    return fwrite(text->data, 1, text->len, c->out) == text->len ? ERR_OK : cli_output_error(c);
}

static enum err run_cmd_provenance(struct cli *c, const struct args *a)
{
    uint64_t batch;
    if (str_to_u64(a->words[0], INT32_MAX, &batch) != ERR_OK || batch == 0)
        return err_set(ERR_INVALID, "'%.60s' is no batch: a batch is a number, dugnad ls lists them",
                       a->words[0]);
    return provenance_save(c, batch, args_text(a, "out", NULL));
}

CLI_COMMAND(
    cmd_provenance, "provenance", "BATCH", "how a batch came to its answers, signed, for citing and checking",
    "A file of JSON lines: the project's keys, then for each unit its rules, attempts, verdicts and whole\n"
    "history, page by page under the project's signature. Check it anywhere with dugnad verify.",
    save_options, 1, 1, false);

static enum err run_cmd_receipt(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf text = {0}, path = {0};
    uint64_t host;
    enum err e = str_to_u64(a->words[0], INT64_MAX, &host);
    if (e != ERR_OK)
        return err_set(ERR_INVALID, "'%.60s' is no host: a host is a number", a->words[0]);
    if ((e = provenance_project(c, &text)) == ERR_OK &&
        (e = buf_add_text(&text, "{\"receipt\":")) == ERR_OK &&
        (e = buf_printf(&path, "/v1/hosts/%llu/receipt", (unsigned long long)host)) == ERR_OK &&
        (e = get_text(c, buf_text(&path), &text)) == ERR_OK && (e = buf_add_text(&text, "}\n")) == ERR_OK)
        e = save(c, a, &text);
    return e;
}

CLI_COMMAND(cmd_receipt, "receipt", "HOST", "what a computer has earned, signed by the project", NULL,
            save_options, 1, 1, false);

static void tell(struct cli *c, const struct proof *p)
{
    char key[DIGEST_TEXT_BYTES];
    digest_text(&p->key, key);
    if (p->is_receipt)
        fprintf(c->out, "host %s of volunteer %s: %.3f credits for %llu valid answers\n", p->host,
                p->volunteer, (double)p->credit_micro / 1e6, (unsigned long long)p->valid);
    else
        fprintf(c->out,
                "batch %s of %s: %llu units, %llu accepted, %llu attempts, %llu audits; every history leads "
                "to what is "
                "said of its unit\n",
                p->batch, p->app, (unsigned long long)p->units, (unsigned long long)p->accepted,
                (unsigned long long)p->attempts, (unsigned long long)p->audits);
    if (p->files_wanted)
        fprintf(c->out, "%llu of %llu accepted files are in the folder, byte for byte\n",
                (unsigned long long)p->files_found, (unsigned long long)p->files_wanted);
    fprintf(c->out, "signed by project %s, key %s\n", p->project, key);
    if (!p->key_given)
        fprintf(
            c->out,
            "compare that key with the one in the project's join link: whoever made this file chose it\n");
    if (!p->complete)
        fprintf(c->out, "the file is not complete: the batch was not done when it was made\n");
}

static enum err run_cmd_verify(struct cli *c, const struct args *a)
{
    const char *key = args_text(a, "key", NULL);
    struct proof *p = calloc(1, sizeof *p);
    enum err e = p ? ERR_OK : err_set(ERR_NOMEM, "out of memory");
    if (e == ERR_OK && key) {
        p->key_given = true;
        if ((e = digest_parse(key, &p->key)) != ERR_OK)
            e = err_prefix(ERR_INVALID, "--key");
    }
    if (e == ERR_OK)
        e = proof_verify(a->words[0], args_text(a, "results", NULL), p);
    if (e == ERR_OK && !c->quiet)
        tell(c, p);
    if (e == ERR_OK && p->files_found < p->files_wanted)
        c->status = CLI_STATUS_FAILED;
    free(p);
    return e;
}

CLI_COMMAND(cmd_verify, "verify", "FILE", "check a provenance file or a receipt, offline",
            "Signatures under the project's key, the digest of every page, every unit's history run through "
            "the rules\n"
            "again, every answer's digest. Nothing is asked of any server.",
            verify_options, 1, 1, false);
