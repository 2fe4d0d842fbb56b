/* socket_file.c - see socket_file.h */
#include "client/socket_file.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum err socket_file_open(const char *path, int *ret_fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof to.sun_path)
        return err_set(ERR_INVALID, "the service has no address that can be used");
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 ||
        connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0) {
        enum err e = err_set_errno(ERR_UNREACHABLE, "there is no service at %s", path);
        if (fd >= 0)
            close(fd);
        return e;
    }
    *ret_fd = fd;
    return ERR_OK;
}

static enum err closed(void)
{
    return err_set(ERR_UNREACHABLE, "the service does not answer in time");
}

enum err socket_file_send(int fd, const void *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == (ssize_t)len ? ERR_OK : closed();
}

enum err socket_file_receive(int fd, void *bytes, size_t len, int64_t until_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (size_t at = 0; at < len;) {
        int64_t left = until_ms - clock_mono_ms();
        ssize_t n = left > 0 && poll(&p, 1, (int)left) == 1
                        ? recv(fd, (uint8_t *)bytes + at, len - at, MSG_DONTWAIT)
                        : 0;
        if (n <= 0)
            return closed();
        at += (size_t)n;
    }
    return ERR_OK;
}
