/* app_file.h - the files that `app pack` has made: a bundle and its release, signed or not. */
#ifndef CLI_APP_FILE_H
#define CLI_APP_FILE_H

#include "base/buf.h"
#include "client/cli/cli.h"
#include "wire/release.h"

#define APP_FILE_PATH_BYTES 4096

/* Reads a release: the statement itself or an envelope around it, whose signatures are not looked at. payload
 * is the statement, file the file's own bytes. */
enum err app_file_read(const char *path, struct arena *a, struct buf *file, struct buf *payload,
                       bool *ret_signed, struct release *ret) NODISCARD;
/* The partner of a bundle or release by the names `app pack` gives: bundle.tar and release.json,
 * NAME.tar and NAME.release.json. Empty when there is none. */
void app_file_bundle(const char *release, char ret[APP_FILE_PATH_BYTES]);
void app_file_release(const char *bundle, char ret[APP_FILE_PATH_BYTES]);
/* A bundle by its archive or by the folder that `app pack` made, and its release: given, or the one beside
 * it. */
enum err app_file_find(const char *word, const char *release, char bundle[APP_FILE_PATH_BYTES],
                       char beside[APP_FILE_PATH_BYTES]) NODISCARD;
/* ERR_UNTRUSTED when the bundle is not the one the release names. */
enum err app_file_check(const struct release *r, const char *bundle) NODISCARD;

#endif
