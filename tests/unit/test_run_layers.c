/* Each layer of the sandbox alone: what it blocks with all the others left out. Together they are
 * test_run.c's. */
#include "lib/t.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "run/sandbox.h"

enum { ALL = 63, NOBODY = 65534 };

static char place[64], program[128], app[96], work[96];
static char port_text[32], pid_text[32];
static pid_t sleeper;
static int listener = -1;

/* A process of the user that programs run as, for them to signal. */
static pid_t start_sleeper(void)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (geteuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0))
        _exit(1);
    for (;;)
        pause();
}

static int make_place(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    snprintf(place, sizeof place, "/tmp/test-layers-XXXXXX");
    assert_non_null(mkdtemp(place));
    assert_int_equal(chmod(place, 0755), 0);
    snprintf(app, sizeof app, "%s/app", place);
    snprintf(work, sizeof work, "%s/work", place);
    snprintf(program, sizeof program, "%s/bin", app);
    assert_ok(file_make_folders(program, 0755));
    assert_ok(file_make_folders(work, 0777));
    snprintf(program, sizeof program, "%s/bin/probe", app);
    assert_ok(file_copy(TESTS_BUILD_FOLDER "/bin/dugnad-probe", program, 0755));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 100), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    sleeper = start_sleeper();
    snprintf(port_text, sizeof port_text, "PROBE_PORT=%u", ntohs(at.sin_port));
    snprintf(pid_text, sizeof pid_text, "PROBE_PID=%d", (int)sleeper);
    return 0;
}

static int drop_place(void **state)
{
    (void)state;
    kill(sleeper, SIGKILL);
    waitpid(sleeper, NULL, 0);
    close(listener);
    assert_ok(file_remove_tree(place));
    return 0;
}

/* Whether the probe was blocked with only these layers. */
static bool is_blocked(uint32_t layers, const char *probe)
{
    bool root = layers & SANDBOX_ROOT;
    const char *argv[] = {root ? "/app/bin/probe" : program, probe, NULL};
    const char *env[] = {port_text, pid_text, NULL};
    struct sandbox_status status = {.stage = SANDBOX_FAILED, .step = "start"};
    int p[2], nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    struct sandbox_plan plan = {.without = ALL & ~layers,
                                .caller = getpid(),
                                .app_path = app,
                                .work_path = work,
                                .stdin_fd = nothing,
                                .stdout_fd = nothing,
                                .stderr_fd = nothing,
                                .group_fd = -1,
                                .status_fd = p[1],
                                .argv = argv,
                                .env = env,
                                .as_root = geteuid() == 0};
    assert_ok(sandbox_filter(&plan.filter));
    pid_t pid = fork();
    if (pid == 0)
        sandbox_child(&plan);
    close(p[1]);
    close(nothing);
    if (read(p[0], &status, sizeof status) != (ssize_t)sizeof status)
        fail_msg("%s with layers %u: nothing said how it ended", probe, layers);
    close(p[0]);
    waitpid(pid, NULL, 0);
    if (status.stage != SANDBOX_ENDED || !WIFEXITED(status.wait_status))
        fail_msg("%s with layers %u: %s (%s)", probe, layers, status.step, strerror(status.number));
    return WEXITSTATUS(status.wait_status) == 0;
}

/* What each layer has to block alone; all of it gets through with no layer at all. */
static const struct {
    uint32_t layer;
    const char *name, *probes;
} expected[] = {
    {SANDBOX_NAMESPACES, "namespaces", "net_reach signal_caller"},
    {SANDBOX_ROOT, "root", "file_passwd file_home file_usr file_run proc_others proc_upwards"},
    {SANDBOX_LIMITS, "limits", "many_files"},
    /* what one may give up one has to have: inside a user namespace */
    {SANDBOX_RIGHTS | SANDBOX_NAMESPACES, "rights", "dump_flag rights_left"},
    {SANDBOX_FILTER, "filter",
     "net_tcp net_udp net_ipv6 net_unix net_netlink net_pair net_reach ptrace_self keyring_add keyring_ctl "
     "ns_user ns_clone ns_clone3 ns_setns shm_sysv handle_open session_own memfd personality "
     "sysv_semaphore sysv_message memory_policy"},
};

static bool is_named(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == 0 || at[len] == ' '))
            return true;
    return false;
}

static void tell_if_expected(const char *probe)
{
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (is_named(expected[i].probes, probe))
            print_message("  %-20s refused by this system itself: not tried\n", probe);
}

/* A line for each probe that an ordinary process could do: by which layers alone it is blocked. */
static uint32_t try_alone(const char *probe)
{
    uint32_t by = 0;
    print_message("  %-20s", probe);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (!is_blocked(expected[i].layer, probe))
            continue;
        by |= expected[i].layer;
        print_message(" %s", expected[i].name);
    }
    print_message("\n");
    return by;
}

static void each_layer_alone_blocks_what_it_is_for(void **state)
{
    (void)state;
    char name[64];
    uint32_t tried = 0, bad = 0;
    FILE *list = popen(TESTS_BUILD_FOLDER "/bin/dugnad-probe list", "r");
    assert_non_null(list);
    while (fgets(name, sizeof name, list)) {
        name[strcspn(name, "\n")] = 0;
        /* That one would end the owner's other programs where no layer is there; alone it is tested below. */
        if (strcmp(name, "signal_all") == 0)
            continue;
        if (is_blocked(0, name)) {
            tell_if_expected(name);
            continue;
        }
        uint32_t by = try_alone(name);
        tried++;
        for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
            if (!is_named(expected[i].probes, name) || ((by & expected[i].layer) == expected[i].layer))
                continue;
            print_error("%s alone did not block %s\n", expected[i].name, name);
            bad++;
        }
    }
    pclose(list);
    print_message("%u probes are things that any process can do; the others are the system's to refuse\n",
                  tried);
    assert_int_equal(bad, 0);
    assert_true(tried >= 30);
    assert_true(is_blocked(SANDBOX_NAMESPACES, "signal_all"));
}

/* No program but those in /app can begin under it, so it is tried in the process itself. */
static void landlock_alone_keeps_files_out_of_reach(void **state)
{
    (void)state;
    int abi = sandbox_landlock_abi(), status = 0;
    if (abi < 1) {
        print_message("this kernel has no Landlock: not tried\n");
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        uint32_t good = sandbox_landlock();
        good &= open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES;
        good &= open("/usr/bin", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES;
        good &= open(program, O_RDONLY) < 0 && errno == EACCES;
        good &= open("/tmp/landlock-new", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES;
        good &= open("/proc/self/oom_score_adj", O_WRONLY) < 0 && errno == EACCES;
        good &= execl("/bin/true", "true", (char *)NULL) < 0 && errno == EACCES;
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port_text + 11))};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (abi >= 4)
            good &= connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == EACCES;
        if (abi >= 6)
            good &= kill(sleeper, 0) < 0 && errno == EPERM;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    print_message("Landlock ABI %d: files%s%s\n", abi, abi >= 4 ? ", TCP" : "", abi >= 6 ? ", signals" : "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_layer_alone_blocks_what_it_is_for, make_place, drop_place),
        cmocka_unit_test_setup_teardown(landlock_alone_keeps_files_out_of_reach, make_place, drop_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
