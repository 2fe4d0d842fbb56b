/* local.h - one unit of work on this machine, in the very sandbox of the volunteers: what `app run` and
 * `submit --dry-run` do. */
#ifndef CLI_LOCAL_H
#define CLI_LOCAL_H

#include "client/cli/cli.h"
#include "run/run.h"
#include "wire/release.h"

struct local_input {
    const char *from; /* on this machine */
    const char *path; /* below /work */
};

struct local_job {
    const char *bundle;     /* the archive */
    const char *app_folder; /* the same, unpacked already; NULL: it is unpacked for this run */
    const struct manifest *manifest;
    struct wu_limits limits; /* win over the manifest's */
    const char **command;    /* words after the entry, filled in */
    uint32_t command_count;
    const struct variable *env;
    uint32_t env_count;
    const struct local_input *inputs;
    uint32_t input_count;
    const char *stdin_path; /* one of the inputs' paths; NULL: none */
    const char *out_folder; /* where the outputs go; NULL: they are looked at and dropped */
    bool force;             /* replace what is there */
};

struct local_result {
    struct run_outcome outcome;
    uint64_t output_bytes;
    uint32_t output_count;
    char problem[512]; /* "" when every output is there */
};

/* ERR_OK when it ran, however it ended: see *ret. Ctrl-C stops it. */
enum err local_run(struct cli *c, const struct local_job *job, struct local_result *ret) NODISCARD;
/* A bundle into an empty folder. */
enum err local_unpack(const char *bundle, const char *folder) NODISCARD;
/* How it went, for people or as JSON; sets c->status when it did not end well. */
enum err local_tell(struct cli *c, const struct local_result *r) NODISCARD;

#endif
