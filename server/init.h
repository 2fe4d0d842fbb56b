/* init.h - makes a project: keys, certificate, config file, database, the operator's token. */
#ifndef SERVER_INIT_H
#define SERVER_INIT_H

#include <stdint.h>

#include "base/buf.h"
#include "server/settings.h"

struct init_options {
    char offline[2048]; /* folder of the keys that do not belong on the server; "": DATA/offline-keys */
    int64_t release_keys, release_threshold;
    char certificate[512], key[512]; /* given ones; "": a self-signed pair is made */
};

/* ERR_CONFLICT when there is a project already. A port of 0 becomes a free one. ret_text: what to tell the
 * operator, the join link in it. */
enum err init_project(const char *data, struct settings *settings, const struct init_options *options,
                      struct buf *ret_text) NODISCARD;

#endif
