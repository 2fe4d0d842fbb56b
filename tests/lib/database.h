/* database.h - runs the same tests over every kind of database, each over a fresh one.
 *
 * PostgreSQL is started by pg_temp.sh for the program's time. Where it is not installed the tests fail,
 * unless DUGNAD_TESTS_WITHOUT_POSTGRES is set: then they are left out, and standard error says so. */
#ifndef TESTS_LIB_DATABASE_H
#define TESTS_LIB_DATABASE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/temp.h"

enum database_kind { DATABASE_MEMORY, DATABASE_SQLITE, DATABASE_POSTGRES, DATABASE_KINDS };

struct databases { /* what a test gets as its state */
    enum database_kind kind;
    bool kept; /* is there after it was closed, and for other connections */
    struct temp folder;
    unsigned made;
    pid_t pid; /* of pg_temp.sh */
    FILE *ask, *answer;
};

enum { DATABASE_WHERE_BYTES = 512 };
/* Where a database is that nobody has used: for db_open() and store_open(). */
void database_new(struct databases *d, char ret_where[DATABASE_WHERE_BYTES]);
/* "break" ends every connection to PostgreSQL from its side, "stop" and "start" the server. */
void database_tell(struct databases *d, const char *word);

/* For main(): the number of tests that failed. */
int database_run(const char *name, const struct CMUnitTest *tests, size_t count);
int database_run_one(enum database_kind kind, const char *name, const struct CMUnitTest *tests, size_t count);
#define DATABASE_RUN(tests) database_run(__FILE_NAME__, tests, sizeof(tests) / sizeof *(tests))

#endif
