#include "server/clone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/serve.h"
#include "server/try.h"

enum { PATH_ROOM = 4096 };

struct copying {
    const char *from, *to; /* folders */
};

static enum err copy_entry(void *ctx, const struct file_entry *entry)
{
    const struct copying *c = ctx;
    char from[PATH_ROOM], to[PATH_ROOM];
    TRY(file_join(from, sizeof from, c->from, entry->path));
    TRY(file_join(to, sizeof to, c->to, entry->path));
    if (S_ISDIR(entry->mode))
        return file_make_folders(to, 0700);
    return S_ISREG(entry->mode) ? file_copy(from, to, entry->mode & 0777) : ERR_OK;
}

static enum err copy_folder(const char *from, const char *data, const char *name)
{
    char there[PATH_ROOM], here[PATH_ROOM];
    TRY(file_join(there, sizeof there, from, name));
    TRY(file_join(here, sizeof here, data, name));
    struct copying c = {there, here};
    TRY(file_make_folders(here, 0700));
    return file_walk(there, copy_entry, &c);
}

static enum err copy_file(const char *from, const char *data, const char *name, mode_t mode)
{
    char there[PATH_ROOM], here[PATH_ROOM];
    TRY(file_join(there, sizeof there, from, name));
    TRY(file_join(here, sizeof here, data, name));
    return file_exists(there) ? file_copy(there, here, mode) : ERR_OK;
}

/* The same settings; listen may be another. */
static enum err copy_settings(const char *from, const char *data, const char *listen)
{
    char path[PATH_ROOM];
    BUF_AUTO struct buf old = {0}, new = {0};
    bool said = false;
    TRY(file_join(path, sizeof path, from, "server.conf"));
    TRY(file_read(path, CONFIG_BYTES_MAX, &old));
    for (const char *line = buf_text(&old); *line;) {
        size_t len = strcspn(line, "\n"), name = strspn(line, " ") + strlen("listen");
        bool is = str_starts(line + strspn(line, " "), "listen") && (line[name] == ' ' || line[name] == '=');
        if (is && listen)
            TRY(buf_printf(&new, "listen = %s\n", listen));
        else
            TRY(buf_printf(&new, "%.*s\n", (int)len, line));
        said = said || is;
        line += len + (line[len] == '\n');
    }
    if (listen && !said)
        TRY(buf_printf(&new, "listen = %s\n", listen));
    TRY(file_join(path, sizeof path, data, "server.conf"));
    return file_create_atomic(path, new.data, new.len, 0640);
}

/* The folder itself, not a link to it: links of links end somewhere else when one goes. */
static enum err share_files(const char *from, const char *data, struct buf *out)
{
    char there[PATH_ROOM], here[PATH_ROOM];
    TRY(file_join(there, sizeof there, from, "blobs"));
    TRY(file_join(here, sizeof here, data, "blobs"));
    TRY(file_make_folders(there, 0755)); /* a project that was never served has none yet */
    char *real = realpath(there, NULL);
    if (!real)
        return err_set_errno(ERR_IO, "cannot find %s", there);
    enum err e = symlink(real, here) == 0 ? ERR_OK : err_set_errno(ERR_IO, "cannot make the link %s", here);
    if (e == ERR_OK)
        e = buf_printf(out, "Files are shared with the other servers in %s.\n", real);
    free(real);
    return e;
}

static enum err copy_all(const char *from, const char *data, const char *listen, struct buf *out)
{
    TRY(copy_folder(from, data, "root"));
    TRY(copy_folder(from, data, "keys"));
    TRY(copy_folder(from, data, "tls"));
    TRY(copy_file(from, data, "operator.token", 0600));
    TRY(share_files(from, data, out));
    return copy_settings(from, data, listen); /* last: with it the project is there */
}

enum err clone_make(const char *from, const char *data, const char *listen, struct buf *out)
{
    struct settings s;
    char address[64];
    uint16_t port;
    TRY(serve_settings(from, &s));
    if (!str_starts(s.database, "postgres"))
        return err_set(
            ERR_UNSUPPORTED,
            "%s keeps its project in %s, which one server can use: move it first with `dugnad-server "
            "--data %s migrate --to postgres://USER@HOST/NAME`",
            from, s.database, from);
    if (listen)
        snprintf(s.listen, sizeof s.listen, "%s", listen);
    TRY(settings_listen(&s, address, sizeof address, &port));
    if (mkdir(data, 0700) != 0)
        return errno == EEXIST ? err_set(ERR_CONFLICT, "%s is there already: choose another --data", data)
                               : err_set_errno(ERR_IO, "cannot make %s", data);
    enum err e = copy_all(from, data, listen, out);
    if (e != ERR_OK) {
        char why[ERR_TEXT_BYTES_MAX];
        snprintf(why, sizeof why, "%s", err_text());
        if (file_remove_tree(data) != ERR_OK) /* never follows the link */
            return err_prefix(e, "%s; and %s is left behind", why, data);
        return err_set(e, "%s", why);
    }
    return buf_printf(out,
                      "%s is ready to serve the same project at %s:\n\n"
                      "    dugnad-server --data %s serve\n\n"
                      "Let the balancer in front of the servers know of it.\n",
                      data, s.listen, data);
}
