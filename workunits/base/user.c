#include "base/user.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRY_ROOM = 4096 };

/* Group 0 of root's own groups must not stay: without a name in the user list there are no others. */
static int take_groups(uid_t uid, gid_t gid)
{
    char text[ENTRY_ROOM];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, text, sizeof text, &found) == 0 && found)
        return initgroups(found->pw_name, gid);
    return setgroups(0, NULL);
}

enum err user_become_owner(const char *folder)
{
    struct stat st;
    if (geteuid() != 0 || stat(folder, &st) != 0 || st.st_uid == 0)
        return ERR_OK;
    if (take_groups(st.st_uid, st.st_gid) != 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) != 0 ||
        setresuid(st.st_uid, st.st_uid, st.st_uid) != 0)
        return err_set_errno(ERR_IO, "cannot become the owner of %s (user %u)", folder, (unsigned)st.st_uid);
    (void)prctl(PR_SET_DUMPABLE, 1); /* or /proc/self would stay root's */
    return ERR_OK;
}

void user_name(char *ret, size_t room)
{
    char text[ENTRY_ROOM];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(geteuid(), &entry, text, sizeof text, &found) == 0 && found)
        snprintf(ret, room, "%s", found->pw_name);
    else
        snprintf(ret, room, "%u", (unsigned)geteuid());
}
