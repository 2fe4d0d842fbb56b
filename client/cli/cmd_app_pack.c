/* cmd_app_pack.c - `dugnad app pack`: from a program on this machine to a bundle and its unsigned release */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "client/cli/cli.h"
#include "client/cli/commands.h"
#include "client/cli/pack.h"
#include "client/cli/pack_manifest.h"
#include "client/cli/parts.h"
#include "wire/bundle.h"
#include "wire/release.h"

#define STDOUT_DEFAULT "stdout.txt"

static const struct cli_option options[] = {
    {"name", 'n', "NAME", "the app's name; default: the program's", NULL, false},
    {"version", 'v', "N", "the app's version, a number; default: 1", NULL, false},
    {"out", 'o', "DIR", "where bundle.tar and release.json go (or FILE.tar); default: NAME-VERSION", NULL,
     false},
    {"file", 'f', "SRC[=DEST]", "a file or folder to pack too; the program finds it at /app/DEST", NULL,
     true},
    {"with", 0, "PROGRAM", "another program that the first one starts by its name", NULL, true},
    {"program", 0, "PATH", "the program within the folder, when a folder is packed", NULL, false},
    {"arg", 'a', "WORD", "a first argument of every run", NULL, true},
    {"output", 0, "PATH[?][=SIZE]", "a file the program writes; ?: it may be missing", NULL, true},
    {"stdout", 0, "PATH", "the output that takes standard output; default without --output: " STDOUT_DEFAULT,
     NULL, false},
    {"limit", 'l', "NAME=VALUE", "cpu=1h, wall=2h, memory=1G, disk=1G, output=10M, processes=8", NULL, true},
    {"compare", 0, "HOW", "digest, numeric:ABS,REL or validator:PROGRAM",
     "digest numeric: validator:", false},
    {"class", 0, "CLASS", "hosts whose answers may be compared: none, os, cpu, release",
     "none os cpu release", false},
    {"title", 0, "TEXT", "one line for volunteers", NULL, false},
    {"summary", 0, "TEXT", "what it computes and why, for volunteers", NULL, false},
    {"env", 'e', "NAME=VALUE", "set in the program's environment", NULL, true},
    {"needs-memory", 0, "SIZE", "hosts with less memory are not asked", NULL, false},
    {"needs-feature", 0, "NAME", "hosts without this processor feature (avx2) are not asked", NULL, true},
    {"cost", 0, "SECONDS", "of one unit on the reference machine", NULL, false},
    {"checkpoint", 0, "PATH", "a file that lets the program go on after a stop", NULL, true},
    {"items", 0, "PATH", "the output that lists the answer's items, one a line", NULL, false},
    {"checker", 0, "WORD", "a word that starts the app's own check of an answer; once for each word", NULL,
     true},
    {"sdk", 0, NULL, "the program uses the Dugnad SDK", NULL, false},
    {"manifest", 'm', "FILE", "a manifest to start from; options win over it", NULL, false},
};

struct plan {
    struct cli *cli;
    const struct args *args;
    const char *program; /* what the user named, found */
    bool folder;
    char name[NAME_BYTES_MAX + 1];
    uint32_t version;
    char bundle[PACK_PATH_BYTES], release[PACK_PATH_BYTES], staging[PACK_PATH_BYTES];
    struct pack pack;
    struct pack_words entry;
    struct manifest manifest;
};

/* "HMMsearch 3" becomes "hmmsearch-3". */
static void name_from(const char *path, char ret[NAME_BYTES_MAX + 1])
{
    size_t n = 0;
    for (const char *at = pack_base(path); *at && n < NAME_BYTES_MAX; at++) {
        char b = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        bool fine = (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || (n > 0 && strchr("._-", b));
        if (fine || n > 0)
            ret[n++] = fine ? b : '-';
    }
    ret[n] = 0;
    char *dot = strrchr(ret, '.');
    if (dot && (str_eq(dot, ".py") || str_eq(dot, ".sh") || str_eq(dot, ".pl")))
        *dot = 0;
}

static enum err pick_names(struct plan *p)
{
    const char *out, *given = args_text(p->args, "name", NULL);
    int64_t version = 1;
    int a, b, n;
    enum err e = args_i64(p->args, "version", 1, INT32_MAX, 1, &version);
    if (given && !str_is_name(given))
        return err_set(ERR_INVALID, "--name %.80s is no name: a-z, 0-9, '.', '_' and '-', at most %d", given,
                       NAME_BYTES_MAX);
    if (given)
        snprintf(p->name, sizeof p->name, "%s", given);
    else
        name_from(p->program, p->name);
    if (!*p->name)
        return err_set(ERR_INVALID, "give the app a name: --name NAME");
    p->version = (uint32_t)version;
    out = args_text(p->args, "out", NULL);
    if (out && str_ends(out, ".tar")) {
        int stem = (int)strlen(out) - 4;
        a = snprintf(p->bundle, sizeof p->bundle, "%s", out);
        b = snprintf(p->release, sizeof p->release, "%.*s.release.json", stem, out);
        n = snprintf(p->staging, sizeof p->staging, "%.*s.XXXXXX", stem, out);
    } else {
        char folder[NAME_BYTES_MAX + 16];
        snprintf(folder, sizeof folder, "%s-%u", p->name, p->version);
        out = out ? out : folder;
        a = snprintf(p->bundle, sizeof p->bundle, "%s/bundle.tar", out);
        b = snprintf(p->release, sizeof p->release, "%s/release.json", out);
        n = snprintf(p->staging, sizeof p->staging, "%s/.pack-XXXXXX", out);
        if (e == ERR_OK)
            e = file_make_folders(out, 0755);
    }
    if (a >= PACK_PATH_BYTES || b >= PACK_PATH_BYTES || n >= PACK_PATH_BYTES)
        return err_set(ERR_LIMIT, "the path %.200s... is too long", out);
    return e;
}

static enum err gather_folder(struct plan *p)
{
    char full[PACK_PATH_BYTES];
    const char *program = args_text(p->args, "program", NULL);
    enum err e = pack_file(&p->pack, p->program, "");
    if (e != ERR_OK || !program)
        return e;
    e = file_join(full, sizeof full, p->program, program);
    return e == ERR_OK ? pack_entry(&p->pack, full, program, &p->entry) : e;
}

static enum err gather(struct plan *p)
{
    const char *text, *from, *dest;
    enum err e = p->folder ? gather_folder(p) : pack_program(&p->pack, p->program, &p->entry);
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(p->args, "arg", i)); i++)
        e = pack_word(&p->entry, text);
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(p->args, "with", i)); i++)
        if ((e = pack_which(text, p->pack.arena, &from)) == ERR_OK)
            e = pack_helper(&p->pack, from);
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(p->args, "file", i)); i++)
        if ((e = parts_file("file", text, p->pack.arena, &from, &dest)) == ERR_OK)
            e = pack_file(&p->pack, from, dest);
    return e;
}

/* One that is missing would be found out only when the first two answers are to be compared. */
static enum err check_helper(const struct plan *p, const char *what, const char *word)
{
    char full[PACK_PATH_BYTES];
    const char *path = str_starts(word, "/app/") ? word + 5 : word;
    if (str_is_safe_path(path) && file_join(full, sizeof full, p->staging, path) == ERR_OK &&
        file_exists(full))
        return ERR_OK;
    return err_set(ERR_MISSING, "the %s %.200s is neither a file here nor one of the bundle", what, word);
}

/* A validator or checker named (by an option) by a file of this machine is packed too. */
static enum err gather_helper(struct plan *p, const char *what, bool named, const char ***list,
                              uint32_t *count)
{
    struct pack_words words = {0};
    if (!named || access((*list)[0], R_OK) != 0)
        return check_helper(p, what, (*list)[0]);
    enum err e = pack_program(&p->pack, (*list)[0], &words);
    for (uint32_t i = 1; i < *count && e == ERR_OK; i++)
        e = pack_word(&words, (*list)[i]);
    *list = arena_array(p->pack.arena, words.count + 1, sizeof **list);
    if (!*list)
        return ERR_NOMEM;
    memcpy(*list, words.list, words.count * sizeof **list);
    *count = words.count;
    return e;
}

static enum err gather_helpers(struct plan *p)
{
    struct manifest *m = &p->manifest;
    enum err e = ERR_OK;
    if (m->compare == COMPARE_VALIDATOR)
        e = gather_helper(p, "validator", args_text(p->args, "compare", NULL) != NULL, &m->validator,
                          &m->validator_count);
    if (e == ERR_OK && m->checker_count > 0)
        e = gather_helper(p, "checker", args_count(p->args, "checker") > 0, &m->checker, &m->checker_count);
    return e;
}

static enum err write_release(struct plan *p)
{
    BUF_AUTO struct buf text = {0};
    ARENA_AUTO struct arena check = {0};
    struct release r = {
        .app = p->name, .version = p->version, .platform = platform_here(), .manifest = p->manifest};
    struct release again;
    enum err e = hash_file(p->bundle, &r.bundle, &r.bundle_bytes);
    if (e == ERR_OK)
        e = release_print(&r, &text);
    if (e == ERR_OK)
        e = release_parse(buf_text(&text), text.len, &check, &again);
    return e == ERR_OK ? file_write_atomic(p->release, text.data, text.len, 0644) : e;
}

static enum err make_bundle(struct plan *p)
{
    char fresh[PACK_PATH_BYTES + 8];
    snprintf(fresh, sizeof fresh, "%s.new", p->bundle);
    unlink(fresh);
    enum err e = bundle_pack(p->staging, fresh);
    return e == ERR_OK ? file_rename_durable(fresh, p->bundle) : e;
}

static enum err pack_all(struct plan *p)
{
    enum err e;
    p->pack.folder = p->staging;
    p->pack.arena = &p->cli->arena;
    if ((e = gather(p)) != ERR_OK)
        return e;
    struct pack_manifest given = {.args = p->args,
                                  .entry = &p->entry,
                                  .helpers = p->pack.helpers,
                                  .python = p->pack.python,
                                  .stdout_default = STDOUT_DEFAULT};
    if ((e = pack_manifest_make(&given, p->pack.arena, &p->manifest)) == ERR_OK &&
        (e = gather_helpers(p)) == ERR_OK && (e = make_bundle(p)) == ERR_OK)
        e = write_release(p);
    return e;
}

static enum err tell(struct plan *p)
{
    BUF_AUTO struct buf text = {0};
    struct digest digest;
    char hex[DIGEST_TEXT_BYTES], size[32];
    uint64_t bytes;
    enum err e = hash_file(p->bundle, &digest, &bytes);
    if (e != ERR_OK)
        return e;
    digest_text(&digest, hex);
    str_from_bytes(bytes, size, sizeof size);
    if (p->cli->json) {
        struct json_out o;
        json_out_init(&o, &text);
        json_out_object(&o, NULL);
        json_out_string(&o, "app", p->name);
        json_out_u64(&o, "version", p->version);
        json_out_string(&o, "bundle", p->bundle);
        json_out_string(&o, "release", p->release);
        json_out_string(&o, "sha256", hex);
        json_out_u64(&o, "bytes", bytes);
        json_out_close(&o);
        if ((e = json_out_end(&o)) == ERR_OK)
            fprintf(p->cli->out, "%s\n", buf_text(&text));
        return e;
    }
    fprintf(p->cli->out, "%s\n%s\n", p->bundle, p->release);
    cli_say(p->cli, "%s %u: %s, %u libraries, SHA-256 %s", p->name, p->version, size, p->pack.library_count,
            hex);
    cli_say(p->cli, "next: try it with dugnad app run %s -- ARGS, then dugnad app sign %s --key FILE",
            p->bundle, p->release);
    return ERR_OK;
}

static enum err run_cmd_app_pack(struct cli *c, const struct args *a)
{
    struct plan *p = arena_alloc(&c->arena, sizeof *p);
    struct stat st;
    if (!p)
        return ERR_NOMEM;
    p->cli = c;
    p->args = a;
    enum err e = pack_which(a->words[0], &c->arena, &p->program);
    if (e != ERR_OK)
        return e;
    p->folder = stat(p->program, &st) == 0 && S_ISDIR(st.st_mode);
    if (args_flag(a, "program") && !p->folder)
        return err_set(ERR_INVALID, "--program names a program within a folder, but %s is a file",
                       p->program);
    if ((e = pick_names(p)) != ERR_OK)
        return e;
    if (!mkdtemp(p->staging))
        return err_set_errno(ERR_IO, "cannot make a folder beside %s", p->bundle);
    e = pack_all(p);
    if (e != ERR_OK) {
        err_prefix(e, "pack %s", a->words[0]);
        char *text = arena_text(&c->arena, err_text());
        if (file_remove_tree(p->staging) != ERR_OK)
            cli_say(c, "%s is left behind", p->staging);
        if (!args_text(a, "out", NULL)) { /* nor a folder of our own in which there is nothing */
            *strrchr(p->bundle, '/') = 0;
            (void)rmdir(p->bundle);
        }
        return err_set(e, "%s", text ? text : "");
    }
    if ((e = file_remove_tree(p->staging)) != ERR_OK)
        return e;
    return tell(p);
}

CLI_COMMAND(cmd_app_pack, "app pack", "PROGRAM|FOLDER", "make an app of a program with all it needs",
            "PROGRAM is an ELF program as it is installed (its loader and libraries come along), or a script "
            "whose first\n"
            "line names its interpreter (of python3 the standard library comes along). It runs where nothing "
            "of it is\n"
            "installed: the bundle is /app, read-only; the working folder is /work. The same files give the "
            "same bytes.\n\n"
            "  dugnad app pack hmmsearch --stdout hits.txt\n"
            "  dugnad app pack ./simulate.py --output result.csv --file data/table.dat=data/table.dat\n"
            "  dugnad app pack ./folder --program bin/solve --output out.bin --compare numeric:1e-9,1e-6",
            options, 1, 1, false);
