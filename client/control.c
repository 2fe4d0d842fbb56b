/* control.c - see control.h */
#include "client/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "client/control_wish.h"
#include "wire/error_msg.h"

enum { CALLERS_MAX = CONTROL_FDS_MAX - 1, ANSWER_MAX_BYTES = 256 << 10, PATIENCE_S = 10 };
struct caller {
    int fd; /* 0: free; never the standard input here */
    size_t len;
    char line[CONTROL_LINE_BYTES];
};

struct control {
    int fd;
    struct sockaddr_un at;
    struct caller callers[CALLERS_MAX];
};

static enum err address(const char *path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof ret->sun_path)
        return err_set(ERR_LIMIT,
                       "the path %s is too long for a socket (%zu bytes): choose a shorter data folder", path,
                       sizeof ret->sun_path - 1);
    memcpy(ret->sun_path, path, strlen(path));
    return ERR_OK;
}

enum err control_open(const char *path, struct control **ret)
{
    struct control *c = calloc(1, sizeof *c);
    enum err e = c ? address(path, &c->at) : err_set(ERR_NOMEM, "out of memory");
    if (e != ERR_OK) {
        free(c);
        return e;
    }
    unlink(path); /* of one that crashed: the lock says there is no other */
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    int bound = c->fd < 0 ? -1 : bind(c->fd, (struct sockaddr *)&c->at, sizeof c->at);
    umask(before);
    if (bound != 0 || listen(c->fd, CALLERS_MAX) != 0) {
        e = err_set_errno(ERR_IO, "cannot open the control socket %s", path);
        if (c->fd >= 0)
            close(c->fd);
        free(c);
        return e;
    }
    *ret = c;
    return ERR_OK;
}

static void hang_up(struct caller *caller)
{
    close(caller->fd);
    caller->fd = 0;
    caller->len = 0;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    for (int i = 0; i < CALLERS_MAX; i++)
        if (c->callers[i].fd)
            hang_up(&c->callers[i]);
    close(c->fd);
    unlink(c->at.sun_path);
    free(c);
}

uint32_t control_fds(const struct control *c, int ret[CONTROL_FDS_MAX])
{
    uint32_t n = 0;
    ret[n++] = c->fd;
    for (int i = 0; i < CALLERS_MAX; i++)
        if (c->callers[i].fd)
            ret[n++] = c->callers[i].fd;
    return n;
}

static enum err write_link(struct page *page, struct buf *out)
{
    char link[PAGE_LINK_BYTES];
    struct json_out o;
    enum err e = page_open(page, link);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "link", link);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err carry_out(const struct control_wish *w, struct house *h)
{
    static const enum house_wish wishes[CONTROL_COMMANDS] = {[CONTROL_PAUSE] = HOUSE_PAUSE,
                                                             [CONTROL_RESUME] = HOUSE_RESUME,
                                                             [CONTROL_FINISH] = HOUSE_FINISH,
                                                             [CONTROL_LEAVE] = HOUSE_LEAVE};
    if (w->command == CONTROL_STATUS)
        return ERR_OK;
    log_event(LOG_INFO, "owner", "command", control_command_name(w->command), "project",
              *w->project ? w->project : "all", NULL);
    if (w->command == CONTROL_JOINED)
        return house_look_for_projects(h);
    return house_wish(h, wishes[w->command], w->for_ms, *w->project ? w->project : NULL);
}

enum err control_obey(const char *line, size_t len, struct house *h, struct page *page, struct buf *out)
{
    struct control_wish w;
    enum err e = control_wish_parse(line, len, &w);
    if (e != ERR_OK)
        return e;
    if (w.command == CONTROL_PAGE)
        return page ? write_link(page, out) : err_set(ERR_INVALID, "this is the page");
    e = carry_out(&w, h);
    return e == ERR_OK ? house_status(h, out) : e;
}

static void answer(struct caller *caller, struct house *h, struct page *page, size_t line_len)
{
    BUF_AUTO struct buf out = {.bytes_max = ANSWER_MAX_BYTES};
    enum err e = control_obey(caller->line, line_len, h, page, &out);
    if (e != ERR_OK) {
        buf_clear(&out);
        if (error_write(e, err_text(), &out) != ERR_OK)
            buf_clear(&out);
    }
    if (buf_add_char(&out, '\n') == ERR_OK) /* who does not read it fast enough asks again */
        (void)!send(caller->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    hang_up(caller);
}

static void listen_to(struct caller *caller, struct house *h, struct page *page)
{
    ssize_t got =
        recv(caller->fd, caller->line + caller->len, sizeof caller->line - caller->len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        hang_up(caller);
        return;
    }
    const char *end = memchr(caller->line + caller->len, '\n', (size_t)got);
    caller->len += (size_t)got;
    if (end)
        answer(caller, h, page, (size_t)(end - caller->line));
    else if (caller->len == sizeof caller->line)
        hang_up(caller);
}

void control_turn(struct control *c, struct house *h, struct page *page)
{
    struct caller *place = NULL;
    for (int i = 0; i < CALLERS_MAX; i++) {
        if (c->callers[i].fd)
            listen_to(&c->callers[i], h, page);
        if (!c->callers[i].fd)
            place = &c->callers[i];
    }
    if (!place) { /* one that says nothing makes room */
        place = &c->callers[0];
        hang_up(place);
    }
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    int room = ANSWER_MAX_BYTES;
    (void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    place->fd = fd;
    listen_to(place, h, page);
}

static enum err talk(int fd, const char *line, struct buf *ret)
{
    char piece[4096];
    ssize_t got = 0;
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line) ||
        send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
        return err_set_errno(ERR_IO, "cannot speak to the daemon");
    while (ret->len < ANSWER_MAX_BYTES && (got = recv(fd, piece, sizeof piece, 0)) > 0) {
        enum err e = buf_add(ret, piece, (size_t)got);
        if (e != ERR_OK)
            return e;
    }
    if (ret->len == 0)
        return err_set(ERR_TIMEOUT, "the daemon does not answer: see its log");
    if (ret->data[ret->len - 1] == '\n')
        ret->data[--ret->len] = 0;
    return ERR_OK;
}

enum err control_ask(const char *path, const char *line, struct buf *ret_line)
{
    struct sockaddr_un at;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    enum err e = address(path, &at);
    if (e != ERR_OK)
        return e;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot make a socket");
    (void)!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        e = talk(fd, line, ret_line);
    else if (errno == ENOENT || errno == ECONNREFUSED)
        e = err_set(ERR_MISSING, "no daemon is running for %s: dugnad-client run", path);
    else
        e = err_set_errno(errno == EACCES ? ERR_DENIED : ERR_IO, "cannot reach the daemon at %s", path);
    close(fd);
    return e;
}
