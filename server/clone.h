/* clone.h - the data folder of one more server for a project that is on a shared database.
 *
 * What all servers of a project must have in common is copied: settings, the chain of root statements, the
 * work key, certificate and key, the first operator's token. Files are shared: where they are in a folder,
 * the new one leads to it by a symbolic link. What a server has for itself (its lock, history, alerts,
 * scratch) is not copied. */
#ifndef SERVER_CLONE_H
#define SERVER_CLONE_H

#include "base/buf.h"
#include "base/err.h"

/* from: the data folder of a server, or a copy of one from another machine. listen: NULL leaves it. Says what
 * was done and what is left to do. Nothing is left behind after a failure. */
enum err clone_make(const char *from, const char *data, const char *listen, struct buf *out) NODISCARD;

#endif
