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

/* "SEED:SHARE" or "only:ITEM". What is neither asks for everything: too much is right, too little is not. */
static void read_audit(struct dugnad *d, const char *text)
{
    char *end;
    int only = strncmp(text, "only:", 5) == 0;
    errno = 0;
    d->seed = only ? strtoull(text + 5, &end, 10) : strtoull(text, &end, 16);
    if (errno || end == text || (only ? *end != 0 : *end != ':'))
        return;
    if (!only) {
        d->share = strtoul(end + 1, &end, 10);
        if (errno || *end)
            return;
    }
    d->audit = only ? 2 : 1;
}

int dugnad_init(struct dugnad *d)
{
    struct stat st;
    const char *folder = getenv("DUGNAD_FOLDER"), *audit = getenv("DUGNAD_AUDIT");
    memset(d, 0, sizeof *d);
    d->progressed_ms = d->looked_ms = LLONG_MIN / 2;
    if (!folder || !*folder)
        folder = DUGNAD_FOLDER_DEFAULT;
    if (strlen(folder) < sizeof d->folder && stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
        memcpy(d->folder, folder, strlen(folder) + 1);
    if (audit)
        read_audit(d, audit);
    return d->folder[0] != 0;
}

void dugnad_done(struct dugnad *d)
{
    if (d->items)
        fclose(d->items);
    d->items = NULL;
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

int dugnad_items(struct dugnad *d, const char *path, long long total)
{
    dugnad_done(d);
    if (total < 0 || total > DUGNAD_ITEMS_MAX) {
        errno = EINVAL;
        return -1;
    }
    d->item_total = total;
    d->item_next = 0;
    d->items = fopen(path, "w");
    return d->items && fprintf(d->items, "items %lld\n", total) > 0 ? 0 : -1;
}

/* The finalizer of splitmix64. */
static unsigned long long mix(unsigned long long z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

int dugnad_item_wanted(const struct dugnad *d, long long item)
{
    unsigned long long i = (unsigned long long)item;
    if (d->audit == 0)
        return 1;
    if (d->audit == 2)
        return i == d->seed;
    if (mix(d->seed + i * 0x9E3779B97F4A7C15ull) % 1000000 < d->share)
        return 1;
    return d->item_total > 0 && i == mix(d->seed) % (unsigned long long)d->item_total;
}

int dugnad_item(struct dugnad *d, long long item, const char *text)
{
    if (!d->items || item < d->item_next || item >= d->item_total || strchr(text, '\n')) {
        errno = EINVAL;
        return -1;
    }
    d->item_next = item + 1;
    if (!dugnad_item_wanted(d, item))
        return 0;
    return fprintf(d->items, "%lld\t%s\n", item, text) > 0 ? 0 : -1;
}

int dugnad_items_end(struct dugnad *d)
{
    FILE *f = d->items;
    d->items = NULL;
    if (!f)
        return -1;
    int bad = ferror(f);
    return fclose(f) != 0 || bad ? -1 : 0;
}

int dugnad_route(struct dugnad *d, const char *stream, const char *text)
{
    FILE *file;
    int failed;
    if (strpbrk(stream, "\t\n") || (text && strchr(text, '\n'))) {
        errno = EINVAL;
        return -1;
    }
    file = fopen("streams", d->routed ? "a" : "w");
    if (!file)
        return -1;
    d->routed = 1;
    failed = fprintf(file, "%s%s%s\n", stream, text ? "\t" : "", text ? text : "") < 0;
    failed |= fclose(file) != 0;
    return failed ? -1 : 0;
}
