/* pack_manifest.h - an app's manifest from the options of `app pack` over a file that may leave out what the
 * packer knows. */
#ifndef CLI_PACK_MANIFEST_H
#define CLI_PACK_MANIFEST_H

#include "client/cli/args.h"
#include "client/cli/pack.h"
#include "wire/release.h"

struct pack_manifest {
    const struct args *args;
    const struct pack_words *entry; /* used where the manifest file names none */
    bool helpers, python;           /* what the environment must say */
    const char *stdout_default;     /* the output when none is declared at all */
};

enum err pack_manifest_make(const struct pack_manifest *given, struct arena *a,
                            struct manifest *ret) NODISCARD;

#endif
