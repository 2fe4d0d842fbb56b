/* join.h - becoming a host of a project */
#ifndef CLIENT_JOIN_H
#define CLIENT_JOIN_H

#include "base/err.h"
#include "client/project.h"
#include "client/settings.h"

struct join {
    const char *link, *volunteer_token, *nickname, *team; /* but for link may be NULL */
};

/* Proves the project by the key in the link, becomes a host, and writes `path` (DATA/project.json).
 * ERR_CONFLICT when it is there already. ret is the caller's to project_done(). */
enum err join_project(const struct join *join, const char *path, const char *folder,
                      const struct settings *settings, struct project *ret) NODISCARD;

#endif
