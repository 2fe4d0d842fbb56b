/* probe.c - what a hostile or broken app tries. `probe NAME` exits with 0 when it was blocked, 1 when it got
 * through, and says why it was; the misbehaving ones never end by themselves. Linked statically, so that it
 * runs in an empty root. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int divide(int by)
{
    return 1000 / by;
}

/* Through a volatile pointer: an optimiser may leave out memory that nobody reads. */
static void eat_memory(void)
{
    void *(*volatile fill)(void *, int, size_t) = memset;
    for (;;) {
        char *p = malloc(1 << 20);
        if (p)
            fill(p, 1, 1 << 20);
        else
            usleep(1000);
    }
}

static void fork_bomb(void)
{
    for (;;)
        if (fork() < 0)
            usleep(1000);
}

static void fill_disk(void)
{
    static char block[1 << 16];
    for (int i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof name, "file%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        for (int j = 0; j < 16; j++)
            if (write(fd, block, sizeof block) < 0)
                usleep(1000);
        close(fd);
    }
}

/* Memory that is nobody's own: it belongs to all that map it. */
static void eat_shared(void)
{
    void *(*volatile fill)(void *, int, size_t) = memset;
    for (;;) {
        void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p != MAP_FAILED)
            fill(p, 1, 1 << 20);
        else
            usleep(1000);
    }
}

/* Each of no size. */
static void fill_inodes(void)
{
    for (int i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof name, "file%d", i);
        close(open(name, O_WRONLY | O_CREAT, 0600));
    }
}

/* Deeper than anybody looks. */
static void fill_deep(void)
{
    for (int i = 0; i < 100; i++)
        if (mkdir("d", 0700) != 0 || chdir("d") != 0)
            _exit(98);
    fill_disk();
}

/* In files that have no name any more; mapped: and that are open no more either. */
static void fill_unnamed(int mapped)
{
    static char block[1 << 16];
    for (;;) {
        int fd = open("gone", O_RDWR | O_CREAT, 0600);
        unlink("gone");
        for (int j = 0; j < 16; j++)
            if (write(fd, block, sizeof block) < 0)
                usleep(1000);
        if (mapped) {
            mmap(NULL, 16 * sizeof block, PROT_READ, MAP_SHARED, fd, 0);
            close(fd);
        }
    }
}

static void huge_output(void)
{
    static char block[1 << 16];
    for (;;)
        if (write(1, block, sizeof block) < 0)
            usleep(1000);
}

static int bomb(const char *name)
{
    volatile int zero = 0;
    if (strcmp(name, "ok") == 0)
        puts("fine");
    else if (strcmp(name, "divide") == 0)
        return divide(zero);
    else if (strcmp(name, "count") == 0) /* the same work each time, for measuring */
        for (long long i = 0; i < 8000000000; i++)
            zero = (int)(i & 1);
    else if (strcmp(name, "spin") == 0)
        for (;;)
            zero = 0;
    else if (strcmp(name, "sleep") == 0)
        for (;;)
            sleep(1000);
    else if (strcmp(name, "memory") == 0)
        eat_memory();
    else if (strcmp(name, "fork") == 0)
        fork_bomb();
    else if (strcmp(name, "disk") == 0)
        fill_disk();
    else if (strcmp(name, "shared") == 0)
        eat_shared();
    else if (strcmp(name, "inodes") == 0)
        fill_inodes();
    else if (strcmp(name, "deep") == 0)
        fill_deep();
    else if (strcmp(name, "unnamed") == 0)
        fill_unnamed(0);
    else if (strcmp(name, "mapped") == 0)
        fill_unnamed(1);
    else if (strcmp(name, "output") == 0)
        huge_output();
    else if (strcmp(name, "orphan") == 0) {
        if (fork() == 0)
            for (;;)
                sleep(1000);
    } else if (strcmp(name, "talk") == 0) {
        for (int i = 0; i < 100000; i++)
            fprintf(stderr, "line %d\n", i);
        return 3;
    } else if (strcmp(name, "symlink") == 0)
        return symlink("/etc/passwd", "out");
    else if (strcmp(name, "hardlink") == 0) {
        close(open("first", O_WRONLY | O_CREAT, 0600));
        return link("first", "out");
    } else if (strcmp(name, "folder") == 0)
        return mkdir("out", 0700);
    else if (strcmp(name, "sparse") == 0) {
        int fd = open("out", O_WRONLY | O_CREAT, 0600);
        return ftruncate(fd, 10 << 20) != 0;
    } else
        return -1;
    return 0;
}

static int blocked(int through)
{
    int why = errno;
    if (through)
        puts("got through");
    else
        printf("blocked: %s\n", why ? strerror(why) : "nothing came of it");
    return through ? 1 : 0;
}

static const struct probe *find(const char *name)
{
    for (size_t i = 0; i < probe_ways_count; i++)
        if (strcmp(name, probe_ways[i].name) == 0)
            return &probe_ways[i];
    for (size_t i = 0; i < probe_sly_count; i++)
        if (strcmp(name, probe_sly[i].name) == 0)
            return &probe_sly[i];
    return NULL;
}

static int try(const char *name)
{
    const struct probe *p = find(name);
    if (p) {
        errno = 0;
        return blocked(p->got_through());
    }
    for (size_t i = 0; i < probe_calls_count; i++) {
        const struct probe_call *c = &probe_calls[i];
        if (strcmp(name, c->name) == 0) {
            errno = 0;
            return blocked(syscall(c->number, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]) != -1 ||
                           (errno != EPERM && errno != ENOSYS && errno != EACCES));
        }
    }
    return bomb(name);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < probe_ways_count; i++)
            puts(probe_ways[i].name);
        for (size_t i = 0; i < probe_sly_count; i++)
            puts(probe_sly[i].name);
        for (size_t i = 0; i < probe_calls_count; i++)
            puts(probe_calls[i].name);
        return 0;
    }
    int r = argc == 2 ? try(argv[1]) : -1;
    return r < 0 ? 99 : r;
}
