/* SPDX-License-Identifier: 0BSD */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "dugnad.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_EVERY_MS 250
#define LOOK_EVERY_MS     100
#define PATH_BYTES        512

static long long now_ms(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
        return 0;
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int path_of(const struct dugnad *d, const char *name, char ret[PATH_BYTES])
{
    if (!d->folder[0])
        return 0;
    int n = snprintf(ret, PATH_BYTES, "%s/%s", d->folder, name);
    return n > 0 && n < PATH_BYTES;
}

/* Writes a file whole or not at all: into a neighbour, then renamed over it. */
static int replace(const char *path, const void *bytes, size_t len, int durable)
{
    char neighbour[PATH_BYTES];
    const char *at = bytes;
    int n = snprintf(neighbour, sizeof neighbour, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof neighbour) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(neighbour, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    while (len) {
        ssize_t done = write(fd, at, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            goto failed;
        at += done;
        len -= (size_t)done;
    }
    if (durable && fsync(fd) != 0)
        goto failed;
    if (close(fd) == 0 && rename(neighbour, path) == 0)
        return 0;
    fd = -1;
failed:;
    int kept = errno;
    if (fd >= 0)
        close(fd);
    unlink(neighbour);
    errno = kept;
    return -1;
}

static int by_value(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

/* The next number of a JSON list; 1: *ret is set, 0: the list has ended, -1: it is no list of numbers. */
static int next_item(const char **at, char *first, long long *ret)
{
    char *end;
    *at += strspn(*at, " \t\r\n");
    if (**at == ']')
        return 0;
    if (!*first) {
        if (**at != ',')
            return -1;
        *at += 1 + strspn(*at + 1, " \t\r\n");
    }
    *first = 0;
    if ((**at < '0' || **at > '9') && **at != '-')
        return -1;
    errno = 0;
    *ret = strtoll(*at, &end, 10);
    if (errno || end == *at || (*end && !strchr(",] \t\r\n", *end)))
        return -1;
    *at = end;
    return 1;
}

/* What is no list of numbers asks for everything: too much is right, too little is not. */
static void read_items(struct dugnad *d, const char *text)
{
    char first = 1;
    long long item;
    int found;
    size_t room = 0;
    text += strspn(text, " \t\r\n");
    if (*text++ != '[')
        return;
    while ((found = next_item(&text, &first, &item)) == 1) {
        if (d->item_count == room) {
            room = room ? room * 2 : 64;
            long long *more = room <= DUGNAD_ITEMS_MAX * 2 ? realloc(d->items, room * sizeof *more) : NULL;
            if (!more)
                break;
            d->items = more;
        }
        d->items[d->item_count++] = item;
    }
    if (found != 0 || d->item_count > DUGNAD_ITEMS_MAX) {
        dugnad_done(d);
        return;
    }
    if (d->item_count)
        qsort(d->items, d->item_count, sizeof *d->items, by_value);
    d->all_items = 0;
}

int dugnad_init(struct dugnad *d)
{
    struct stat st;
    const char *folder = getenv("DUGNAD_FOLDER"), *items = getenv("DUGNAD_ITEMS");
    memset(d, 0, sizeof *d);
    d->all_items = 1;
    d->progressed_ms = d->looked_ms = LLONG_MIN / 2;
    if (!folder || !*folder)
        folder = DUGNAD_FOLDER_DEFAULT;
    if (strlen(folder) < sizeof d->folder && stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
        memcpy(d->folder, folder, strlen(folder) + 1);
    if (items)
        read_items(d, items);
    return d->folder[0] != 0;
}

void dugnad_done(struct dugnad *d)
{
    free(d->items);
    d->items = NULL;
    d->item_count = 0;
    d->all_items = 1;
}

void dugnad_progress(struct dugnad *d, double fraction)
{
    char path[PATH_BYTES], text[32];
    if (!path_of(d, "progress", path))
        return;
    long long now = now_ms();
    if (fraction < 1 && now - d->progressed_ms < PROGRESS_EVERY_MS)
        return;
    d->progressed_ms = now;
    fraction = fraction >= 0 ? fraction : 0; /* not a number becomes 0 */
    fraction = fraction <= 1 ? fraction : 1;
    long millionths = (long)(fraction * 1e6); /* not %f: its comma depends on the locale */
    int n = snprintf(text, sizeof text, "%ld.%06ld\n", millionths / 1000000, millionths % 1000000);
    (void)replace(path, text, (size_t)n, 0); /* a full disk must not stop the work */
}

static void look(struct dugnad *d)
{
    char path[PATH_BYTES];
    if (!d->folder[0])
        return;
    long long now = now_ms();
    if (now - d->looked_ms < LOOK_EVERY_MS)
        return;
    d->looked_ms = now;
    d->stop = path_of(d, "stop", path) && access(path, F_OK) == 0;
    d->checkpoint = path_of(d, "checkpoint", path) && access(path, F_OK) == 0;
}

int dugnad_should_stop(struct dugnad *d)
{
    look(d);
    return d->stop;
}

int dugnad_checkpoint_wanted(struct dugnad *d)
{
    look(d);
    return d->checkpoint;
}

int dugnad_checkpoint(struct dugnad *d, const char *path, const void *bytes, size_t len)
{
    if (replace(path, bytes, len, 1) != 0)
        return -1;
    dugnad_checkpointed(d);
    return 0;
}

void dugnad_checkpointed(struct dugnad *d)
{
    char path[PATH_BYTES];
    /* the wish goes first: one that comes between the two is a new wish */
    if (path_of(d, "checkpoint", path))
        unlink(path);
    d->checkpoint = 0;
    if (path_of(d, "checkpointed", path))
        (void)replace(path, "", 0, 0);
}

int dugnad_item_wanted(const struct dugnad *d, long long item)
{
    if (d->all_items)
        return 1;
    if (!d->item_count)
        return 0;
    return bsearch(&item, d->items, d->item_count, sizeof item, by_value) != NULL;
}
