/* run_unnamed.c - bytes on disk that no folder shows: of files that were removed while a process has them
 * open or mapped. See run_inner.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/run_inner.h"

enum { FILES_MAX = 4096, LINE_ROOM = 8192 };

struct unnamed {
    uint64_t bytes;
    size_t count;
    ino_t seen[FILES_MAX]; /* a forked process has the same files */
};

static bool is_new(struct unnamed *u, ino_t inode)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->seen[i] == inode)
            return false;
    if (u->count < FILES_MAX)
        u->seen[u->count++] = inode;
    return true;
}

static void add_open(struct unnamed *u, pid_t pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
            st.st_nlink == 0 && is_new(u, st.st_ino))
            u->bytes += (uint64_t)st.st_blocks * 512;
    if (d)
        closedir(d);
}

/* "START-END rwxp OFFSET DEV INODE   PATH (deleted)": how much of it there is on disk nobody may look up, at
 * most what is mapped. Memory without a file looks the same but for its name. */
static void add_line(struct unnamed *u, const char *line)
{
    static const char memory[] = "/dev/zero (deleted)";
    unsigned long long from, until, inode;
    int at = 0;
    size_t len = strcspn(line, "\n");
    if (len < sizeof memory || strncmp(line + len - 10, " (deleted)", 10) != 0 ||
        sscanf(line, "%llx-%llx %*s %*s %*s %llu %n", &from, &until, &inode, &at) != 3 || at == 0 ||
        strncmp(line + at, memory, sizeof memory - 1) == 0)
        return;
    if (is_new(u, (ino_t)inode))
        u->bytes += until - from;
}

static void add_mapped(struct unnamed *u, pid_t pid)
{
    char path[64], line[LINE_ROOM];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        add_line(u, line);
    if (f)
        fclose(f);
}

uint64_t run_unnamed_use(pid_t root)
{
    struct unnamed *u = calloc(1, sizeof *u);
    pid_t *list = malloc(RUN_TREE_TASKS_MAX * sizeof *list);
    size_t count = list && u ? run_tree_list(root, list) : 0;
    for (size_t i = 2; i < count; i++) /* the sandbox's own two have nothing of it */
        add_open(u, list[i]);
    for (size_t i = 2; i < count; i++)
        add_mapped(u, list[i]);
    uint64_t bytes = u ? u->bytes : 0;
    free(list);
    free(u);
    return bytes;
}
