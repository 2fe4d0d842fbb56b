/* test_base_user.c - root becomes the owner of the folder it works on, and cannot come back. */
#include "lib/temp.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/user.h"

enum { SOMEBODY = 64123 };

/* In a process of its own, since there is no way back. 0: it is `wanted` then and root no more. */
static int become(const char *folder, uid_t wanted)
{
    pid_t pid = fork();
    int status = -1;
    if (pid == 0) {
        if (user_become_owner(folder) != ERR_OK || geteuid() != wanted || getuid() != wanted)
            _exit(1);
        if (wanted != 0 && (getegid() != wanted || getgroups(0, NULL) != 0 || setuid(0) == 0))
            _exit(2);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void root_becomes_the_owner_of_the_folder(void **state)
{
    (void)state;
    struct temp t = temp_new();
    if (geteuid() == 0 && chown(t.folder, SOMEBODY, SOMEBODY) == 0) {
        assert_int_equal(become(t.folder, SOMEBODY), 0);
        assert_int_equal(chown(t.folder, 0, 0), 0);
    }
    temp_done(&t);
}

static void nothing_changes_in_a_folder_of_ones_own_or_a_missing_one(void **state)
{
    (void)state;
    struct temp t = temp_new();
    assert_int_equal(become(t.folder, geteuid()), 0);
    assert_int_equal(become("/nothing/is/here", geteuid()), 0);
    temp_done(&t);
}

static void a_user_has_a_name_or_a_number(void **state)
{
    char name[64] = "";
    (void)state;
    user_name(name, sizeof name);
    assert_true(*name);
    if (geteuid() == 0)
        assert_string_equal(name, "root");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_becomes_the_owner_of_the_folder),
        cmocka_unit_test(nothing_changes_in_a_folder_of_ones_own_or_a_missing_one),
        cmocka_unit_test(a_user_has_a_name_or_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
