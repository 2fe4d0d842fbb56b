/* slot_grid.c - the files between host and program, see slot.h. Each name is opened by itself without
 * following links: the program may have put anything in their place. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "client/slot.h"

#define GRID ".dugnad"

enum err slot_make_grid(const char *folder)
{
    char path[DEPOT_PATH_BYTES];
    enum err e = file_join(path, sizeof path, folder, GRID);
    return e == ERR_OK ? file_make_folders(path, 0755) : e;
}

/* -1 when it is not there any more. */
static int open_grid(const char *folder)
{
    int slot = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (slot < 0)
        return -1;
    int grid = openat(slot, GRID, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(slot);
    return grid;
}

bool slot_wish(const char *folder, const char *name)
{
    int grid = open_grid(folder);
    if (grid < 0)
        return false;
    int fd = openat(grid, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool said = fd >= 0 || faccessat(grid, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0; /* twice is once */
    if (fd >= 0)
        close(fd);
    close(grid);
    return said;
}

double slot_progress(const char *folder)
{
    char text[32] = "", *end;
    struct stat st;
    int grid = open_grid(folder);
    int fd = grid < 0 ? -1 : openat(grid, "progress", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        got = read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (grid >= 0)
        close(grid);
    double value = strtod(text, &end);
    return got > 0 && end != text && value >= 0 && value <= 1 ? value : -1;
}
