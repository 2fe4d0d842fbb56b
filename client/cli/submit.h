/* submit.h - one submission: its request, its files and its units on their way to the server. */
#ifndef CLI_SUBMIT_H
#define CLI_SUBMIT_H

#include "client/cli/cli.h"
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
    bool array; /* the server makes the units */
    struct show_bar bar;
    uint64_t uploaded_bytes, uploaded_files;
};

enum err submit_open(struct submit *s, struct cli *c, const struct args *a) NODISCARD;
void submit_done(struct submit *s);
/* Adds unit i as a line of NDJSON, its line feed included. Its files are hashed, and uploaded when upload is
 * set. */
enum err submit_line(struct submit *s, uint64_t i, bool upload, struct buf *out) NODISCARD;
/* Hashes a file once, and uploads it once when upload is set. */
enum err submit_file(struct submit *s, const char *path, bool upload, struct file_ref *ret) NODISCARD;
/* Runs unit 0 on this machine with a packed app, and tells how it went. */
enum err submit_try(struct submit *s, const char *bundle) NODISCARD;

#endif
