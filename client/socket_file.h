/* socket_file.h - small exchanges with a service of this computer through its socket in the file system:
 * nothing here waits longer than it is told to. */
#ifndef CLIENT_SOCKET_FILE_H
#define CLIENT_SOCKET_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* '@' at the path's start: an abstract one. */
enum err socket_file_open(const char *path, int *ret_fd) NODISCARD;
enum err socket_file_send(int fd, const void *bytes, size_t len) NODISCARD;
/* All of them, by that time of the clock that never goes back. */
enum err socket_file_receive(int fd, void *bytes, size_t len, int64_t until_ms) NODISCARD;

#endif
