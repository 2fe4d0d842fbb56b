/* temp.h - a folder for one test, and files in it. */
#ifndef TESTS_LIB_TEMP_H
#define TESTS_LIB_TEMP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "lib/t.h"

#define TEMP_PATH_BYTES 256

struct temp {
    char folder[64];
    char path[4][TEMP_PATH_BYTES];
    unsigned next;
};

static inline struct temp temp_new(void)
{
    struct temp t = {.folder = "/tmp/dugnad-test-XXXXXX"};
    if (!mkdtemp(t.folder))
        fail_msg("no temporary folder %s", t.folder);
    return t;
}

/* The path of a name in the folder; good until four more were asked for. */
static inline const char *temp_path(struct temp *t, const char *name)
{
    char path[TEMP_PATH_BYTES];
    snprintf(path, sizeof path, "%.63s/%.190s", t->folder, name);
    return memcpy(t->path[t->next++ % 4], path, sizeof path);
}

static inline const char *temp_file(struct temp *t, const char *name, const char *text, mode_t mode)
{
    const char *path = temp_path(t, name);
    assert_ok(file_write_atomic(path, text, strlen(text), mode));
    return path;
}

static inline void temp_done(struct temp *t)
{
    assert_ok(file_remove_tree(t->folder));
}

#endif
