/* cmd_app_sign.c - `dugnad app sign`, offline, and `dugnad key` */
#include <string.h>

#include "base/file.h"
#include "base/sign.h"
#include "base/str.h"
#include "client/cli/app_file.h"
#include "client/cli/commands.h"
#include "wire/envelope.h"

static const struct cli_option sign_options[] = {
    {"key", 'k', "FILE", "a release key of the project (see dugnad key new)", NULL, true},
    {"out", 'o', "FILE", "where the envelope goes; default: release.signed.json, or the envelope itself",
     NULL, false},
    {"bundle", 'b', "FILE", "the bundle to check against; default: the one beside it", NULL, false},
};

static enum err add_signature(struct buf *envelope, const char *payload, size_t len, const char *key_file)
{
    BUF_AUTO struct buf out = {0};
    struct private_key *key = NULL;
    enum err e = sign_key_load(key_file, &key);
    const struct private_key *const keys[] = {key};
    if (e == ERR_OK)
        e = envelope->len ? envelope_sign(buf_text(envelope), envelope->len, key, &out)
                          : envelope_make(ENVELOPE_TYPE_RELEASE, payload, len, keys, 1, &out);
    sign_key_free(key);
    buf_clear(envelope);
    return e == ERR_OK ? buf_add(envelope, buf_text(&out), out.len) : e;
}

static void default_out(const char *path, bool is_signed, char ret[APP_FILE_PATH_BYTES])
{
    size_t len = strlen(path);
    if (!is_signed && str_ends(path, ".json"))
        snprintf(ret, APP_FILE_PATH_BYTES, "%.*s.signed.json", (int)(len - 5), path);
    else
        snprintf(ret, APP_FILE_PATH_BYTES, is_signed ? "%s" : "%s.signed", path);
}

static enum err show_signers(struct cli *c, const struct buf *envelope, const struct release *r,
                             const char *out)
{
    struct digest ids[SIGNATURES_MAX];
    char hex[DIGEST_TEXT_BYTES];
    size_t count;
    enum err e = envelope_signers(buf_text(envelope), envelope->len, ids, &count);
    if (e != ERR_OK)
        return e;
    if (c->json) {
        BUF_AUTO struct buf text = {0};
        struct json_out o;
        json_out_init(&o, &text);
        json_out_object(&o, NULL);
        json_out_string(&o, "envelope", out);
        json_out_array(&o, "signers");
        for (size_t i = 0; i < count; i++)
            digest_write(&o, NULL, &ids[i]);
        json_out_close(&o);
        json_out_close(&o);
        if ((e = json_out_end(&o)) == ERR_OK)
            fprintf(c->out, "%s\n", buf_text(&text));
        return e;
    }
    digest_text(&r->bundle, hex);
    fprintf(c->out, "%s\n", out);
    cli_say(c, "%s %u for %s, bundle %s", r->app, r->version, r->platform, hex);
    for (size_t i = 0; i < count; i++) {
        digest_text(&ids[i], hex);
        cli_say(c, "signed by %s", hex);
    }
    cli_say(c, "next: dugnad app publish %s", out);
    return ERR_OK;
}

static enum err run_cmd_app_sign(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf file = {0}, payload = {0};
    char bundle[APP_FILE_PATH_BYTES], out[APP_FILE_PATH_BYTES];
    const char *key, *path = a->words[0], *named = args_text(a, "bundle", NULL);
    struct release r;
    bool is_signed;
    if (!args_flag(a, "key"))
        return err_set(ERR_INVALID, "dugnad app sign needs --key FILE: the project's release key");
    enum err e = app_file_read(path, &c->arena, &file, &payload, &is_signed, &r);
    if (e != ERR_OK)
        return e;
    app_file_bundle(path, bundle);
    if ((named || *bundle) && (e = app_file_check(&r, named ? named : bundle)) != ERR_OK)
        return e;
    if (!is_signed)
        buf_clear(&file);
    for (uint32_t i = 0; e == ERR_OK && (key = args_each(a, "key", i)); i++)
        e = add_signature(&file, buf_text(&payload), payload.len, key);
    default_out(path, is_signed, out);
    const char *to = args_text(a, "out", out);
    if (e == ERR_OK)
        e = file_write_atomic(to, file.data, file.len, 0644);
    return e == ERR_OK ? show_signers(c, &file, &r, to) : e;
}

CLI_COMMAND(cmd_app_sign, "app sign", "RELEASE", "sign a release, offline",
            "Hosts run code only with as many release keys' signatures as the project's root statement "
            "demands. Two people\n"
            "sign one after the other: the second signs the first one's envelope. Keep release keys off the "
            "server.\n\n"
            "  dugnad app sign hmmsearch-1/release.json --key release.key",
            sign_options, 1, 1, false);

static enum err print_key(struct cli *c, const struct private_key *key)
{
    BUF_AUTO struct buf public_text = {0};
    struct public_key public_key;
    char id[DIGEST_TEXT_BYTES];
    enum err e = sign_key_public(key, &public_key);
    if (e == ERR_OK)
        e = str_base64(public_key.bytes, sizeof public_key.bytes, &public_text);
    if (e != ERR_OK)
        return e;
    struct digest digest = sign_key_id(&public_key);
    digest_text(&digest, id);
    if (c->json)
        fprintf(c->out, "{\"id\":\"%s\",\"public\":\"%s\"}\n", id, buf_text(&public_text));
    else
        fprintf(c->out, "id      %s\npublic  %s\n", id, buf_text(&public_text));
    return ERR_OK;
}

static enum err run_cmd_key_new(struct cli *c, const struct args *a)
{
    struct private_key *key = NULL;
    enum err e = sign_key_new(&key);
    if (e == ERR_OK && (e = sign_key_save(key, a->words[0])) == ERR_OK)
        e = print_key(c, key);
    sign_key_free(key);
    if (e == ERR_OK)
        cli_say(c,
                "%s is the private key: keep it offline and keep a copy; the public one goes into the root "
                "statement",
                a->words[0]);
    return e;
}

static enum err run_cmd_key_show(struct cli *c, const struct args *a)
{
    struct private_key *key = NULL;
    enum err e = sign_key_load(a->words[0], &key);
    if (e == ERR_OK)
        e = print_key(c, key);
    sign_key_free(key);
    return e;
}

const struct cli_command cmd_key_new = {.words = "key new",
                                        .usage = "FILE",
                                        .summary = "make a signing key (Ed25519)",
                                        .words_min = 1,
                                        .words_max = 1,
                                        .run = run_cmd_key_new};
const struct cli_command cmd_key_show = {.words = "key show",
                                         .usage = "FILE",
                                         .summary = "print a key's id and public half",
                                         .words_min = 1,
                                         .words_max = 1,
                                         .run = run_cmd_key_show};
