/* app_file.c - see app_file.h */
#include "client/cli/app_file.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/envelope.h"

static bool is_envelope(const struct buf *file)
{
    JSON_AUTO struct json_doc *doc = NULL;
    return json_parse(buf_text(file), file->len, ENVELOPE_BYTES_MAX, &doc) == ERR_OK &&
           json_field(json_root(doc), "payloadType");
}

enum err app_file_read(const char *path, struct arena *a, struct buf *file, struct buf *payload,
                       bool *ret_signed, struct release *ret)
{
    enum err e = file_read(path, ENVELOPE_BYTES_MAX, file);
    if (e != ERR_OK)
        return e;
    *ret_signed = is_envelope(file);
    e = *ret_signed ? envelope_peek(buf_text(file), file->len, ENVELOPE_TYPE_RELEASE, payload)
                    : buf_add(payload, buf_text(file), file->len);
    if (e == ERR_OK)
        e = release_parse(buf_text(payload), payload->len, a, ret);
    return e == ERR_OK ? e : err_prefix(e, "%s", path);
}

/* path with its end `from` changed to `to`, if that is a file. */
static bool change_end(const char *path, const char *from, const char *to, char ret[APP_FILE_PATH_BYTES])
{
    if (!str_ends(path, from))
        return false;
    int stem = (int)(strlen(path) - strlen(from));
    int n = snprintf(ret, APP_FILE_PATH_BYTES, "%.*s%s", stem, path, to);
    if (n < APP_FILE_PATH_BYTES && file_exists(ret))
        return true;
    *ret = 0;
    return false;
}

void app_file_bundle(const char *release, char ret[APP_FILE_PATH_BYTES])
{
    *ret = 0;
    (void)(change_end(release, ".release.json", ".tar", ret) ||
           change_end(release, ".release.signed.json", ".tar", ret) ||
           change_end(release, "release.json", "bundle.tar", ret) ||
           change_end(release, "release.signed.json", "bundle.tar", ret));
}

void app_file_release(const char *bundle, char ret[APP_FILE_PATH_BYTES])
{
    *ret = 0;
    (void)(change_end(bundle, "bundle.tar", "release.json", ret) ||
           change_end(bundle, ".tar", ".release.json", ret) ||
           change_end(bundle, "bundle.tar", "release.signed.json", ret) ||
           change_end(bundle, ".tar", ".release.signed.json", ret));
}

enum err app_file_check(const struct release *r, const char *bundle)
{
    struct digest digest;
    uint64_t bytes;
    enum err e = hash_file(bundle, &digest, &bytes);
    if (e == ERR_OK && (!digest_eq(&digest, &r->bundle) || bytes != r->bundle_bytes))
        e = err_set(ERR_UNTRUSTED,
                    "%s is not the bundle that the release of %s %u names: pack it again, then sign that",
                    bundle, r->app, r->version);
    return e;
}

enum err app_file_find(const char *word, const char *release, char bundle[APP_FILE_PATH_BYTES],
                       char beside[APP_FILE_PATH_BYTES])
{
    struct stat st;
    if (stat(word, &st) != 0)
        return err_set_errno(ERR_IO, "cannot find the bundle %s", word);
    snprintf(bundle, APP_FILE_PATH_BYTES, S_ISDIR(st.st_mode) ? "%.4000s/bundle.tar" : "%.4000s", word);
    if (release)
        snprintf(beside, APP_FILE_PATH_BYTES, "%.4000s", release);
    else
        app_file_release(bundle, beside);
    return *beside ? ERR_OK
                   : err_set(ERR_MISSING, "there is no release.json beside %s: name it with --release FILE",
                             bundle);
}
