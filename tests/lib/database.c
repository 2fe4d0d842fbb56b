#include "lib/database.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const kind_names[DATABASE_KINDS] = {"memory", "sqlite", "postgres"};

static void start_postgres(struct databases *d)
{
    int to[2], from[2];
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    d->pid = fork();
    if (d->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execl("/bin/bash", "bash", TESTS_FOLDER "/lib/pg_temp.sh", (char *)NULL);
        _exit(127);
    }
    assert_true(d->pid > 0);
    close(to[0]);
    close(from[1]);
    signal(SIGPIPE, SIG_IGN);
    d->ask = fdopen(to[1], "w");
    d->answer = fdopen(from[0], "r");
    assert_true(d->ask && d->answer);
}

static void ask(struct databases *d, const char *word, char ret_line[DATABASE_WHERE_BYTES])
{
    fprintf(d->ask, "%s\n", word);
    fflush(d->ask);
    if (!fgets(ret_line, DATABASE_WHERE_BYTES, d->answer))
        fail_msg(
            "tests/lib/pg_temp.sh did not answer: run it by hand and see why (packaging/packages.sh test "
            "installs PostgreSQL; DUGNAD_TESTS_WITHOUT_POSTGRES=1 leaves these tests out)");
    ret_line[strcspn(ret_line, "\n")] = 0;
}

void database_new(struct databases *d, char ret_where[DATABASE_WHERE_BYTES])
{
    char name[32];
    snprintf(name, sizeof name, "%u.db", d->made++);
    if (d->kind == DATABASE_MEMORY)
        snprintf(ret_where, DATABASE_WHERE_BYTES, "memory:");
    else if (d->kind == DATABASE_SQLITE)
        snprintf(ret_where, DATABASE_WHERE_BYTES, "sqlite:%s", temp_path(&d->folder, name));
    else
        ask(d, "new", ret_where);
}

void database_tell(struct databases *d, const char *word)
{
    char line[DATABASE_WHERE_BYTES];
    ask(d, word, line);
}

static int set_up(void **state, enum database_kind kind)
{
    struct databases *d = calloc(1, sizeof *d);
    assert_non_null(d);
    *d = (struct databases){.kind = kind, .kept = kind != DATABASE_MEMORY, .folder = temp_new()};
    if (kind == DATABASE_POSTGRES)
        start_postgres(d);
    *state = d;
    return 0;
}

static int set_up_memory(void **state)
{
    return set_up(state, DATABASE_MEMORY);
}

static int set_up_sqlite(void **state)
{
    return set_up(state, DATABASE_SQLITE);
}

static int set_up_postgres(void **state)
{
    return set_up(state, DATABASE_POSTGRES);
}

static int tear_down(void **state)
{
    struct databases *d = *state;
    if (d->pid > 0) {
        fclose(d->ask); /* which ends the script and the server */
        fclose(d->answer);
        waitpid(d->pid, NULL, 0);
    }
    temp_done(&d->folder);
    free(d);
    return 0;
}

int database_run_one(enum database_kind kind, const char *name, const struct CMUnitTest *tests, size_t count)
{
    static const CMFixtureFunction set_ups[DATABASE_KINDS] = {set_up_memory, set_up_sqlite, set_up_postgres};
    const char *without = getenv("DUGNAD_TESTS_WITHOUT_POSTGRES");
    char title[64];
    snprintf(title, sizeof title, "%s over %s", name, kind_names[kind]);
    if (kind == DATABASE_POSTGRES && without && *without) {
        fprintf(stderr, "SKIPPED: %s, because DUGNAD_TESTS_WITHOUT_POSTGRES is set\n", title);
        return 0;
    }
    return _cmocka_run_group_tests(title, tests, count, set_ups[kind], tear_down);
}

int database_run(const char *name, const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (int kind = 0; kind < DATABASE_KINDS; kind++)
        failed += database_run_one((enum database_kind)kind, name, tests, count);
    return failed;
}
