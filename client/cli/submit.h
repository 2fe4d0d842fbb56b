/* submit.h - one submission: its request, its files and its units on their way to the server. */
#ifndef CLI_SUBMIT_H
#define CLI_SUBMIT_H

#include "client/cli/app_file.h"
#include "client/cli/cli.h"
#include "client/cli/local.h"
#include "client/cli/show.h"
#include "client/cli/units.h"
#include "wire/batch_msg.h"

struct submit_file;
struct submit {
    struct cli *cli;
    const struct args *args;
    struct arena files_arena; /* what is known of files: lives as long as the submission */
    struct submit_file **files;
    struct batch_request request;
    struct units units;
    const char **templates; /* --input FILE[=PATH] with {NAME} in it: one file for each unit */
    uint32_t template_count;
    const char **known; /* --known FILE[=PATH]: the outputs of a unit's right answer, where these files are */
    uint32_t known_templates;
    uint64_t known_units; /* sent so far */
    bool array;           /* the server makes the units */
    bool staged;          /* as well: of another batch\'s answers */
    struct show_bar bar;
    uint64_t uploaded_bytes, uploaded_files;
};

enum err submit_open(struct submit *s, struct cli *c, const struct args *a) NODISCARD;
void submit_done(struct submit *s);
/* Adds unit i as a line of NDJSON, its line feed included. Its files are hashed, and uploaded when upload is
 * set. */
enum err submit_line(struct submit *s, uint64_t i, bool upload, struct buf *out) NODISCARD;
/* --after, --for-each, --for-lines, --reduce and what goes with them, into the request. */
enum err submit_stage(struct submit *s) NODISCARD;
/* Hashes a file once, and uploads it once when upload is set. */
enum err submit_file(struct submit *s, const char *path, bool upload, struct file_ref *ret) NODISCARD;
/* What `dugnad submit` says before and after: here, without sending anything. */
struct submit_app {
    struct buf file, payload;
    struct release release;
    char bundle[APP_FILE_PATH_BYTES];
};
/* The app of --bundle, else that of the project, which is fetched once and kept in ~/.cache/dugnad. */
enum err submit_app_open(struct submit *s, struct submit_app *ret) NODISCARD;
void submit_app_done(struct submit_app *app);
/* A release by its digest; its bundle too when it is one for this machine (see ret->release.platform). */
enum err submit_app_get(struct cli *c, const char *name, const char *digest,
                        struct submit_app *ret) NODISCARD;
/* Unit i as a job for the sandbox of this machine; texts live in the arena. */
enum err submit_job(struct submit *s, const struct submit_app *app, uint64_t i, struct arena *a,
                    struct local_job *ret) NODISCARD;
/* Runs unit 0 on this machine, and tells how it went and what all of them would cost, there and here. */
enum err submit_try(struct submit *s) NODISCARD;
/* Computes all units on this machine, --jobs at once, into the folder --out, as `dugnad results` would fill
 * it. Called again it goes on. */
enum err submit_local(struct submit *s) NODISCARD;

#endif
