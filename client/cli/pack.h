/* pack.h - gathers a program with all that it needs to run on a machine where nothing is installed: the files
 * of a bundle, laid out in a folder. bin/ holds programs, lib/ the loader and all libraries, the rest is the
 * author's. */
#ifndef CLI_PACK_H
#define CLI_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#define PACK_LIBRARIES_MAX 2000
#define PACK_PATH_BYTES    4096

struct pack_words {
    uint32_t count;
    const char *list[WU_ARGS_MAX];
};

struct pack {
    const char *folder; /* where the files are gathered */
    struct arena *arena;
    const char *loader; /* "lib/ld-linux-x86-64.so.2" once a program wanted it */
    bool helpers;       /* programs that others start: they need LD_LIBRARY_PATH=/app/lib */
    bool python;        /* PYTHONHOME=/app */
    uint32_t files;     /* gathered so far */
    uint32_t library_count;
    const char *libraries[PACK_LIBRARIES_MAX]; /* names in lib/ */
};

/* Copies a file, or all below a folder, to dest in the bundle; links are followed. The libraries of every ELF
 * file among them come along. ERR_CONFLICT when dest is taken. */
enum err pack_file(struct pack *p, const char *from, const char *dest) NODISCARD;
/* Adds a program as bin/NAME and the words that start it: its loader first when it is dynamically linked, its
 * interpreter when it is a script (of python3 the standard library comes along). */
enum err pack_program(struct pack *p, const char *from, struct pack_words *entry) NODISCARD;
/* The words that start what is already in the bundle at dest (copied from `from`). */
enum err pack_entry(struct pack *p, const char *from, const char *dest, struct pack_words *entry) NODISCARD;
/* Adds a program that the main one starts itself, by its name or as /app/bin/NAME: the copy's loader is
 * changed to the bundle's, since a sandbox has no /lib64. */
enum err pack_helper(struct pack *p, const char *from) NODISCARD;
enum err pack_word(struct pack_words *w, const char *word) NODISCARD;
/* The name's file in PATH, or itself when it holds a '/'. */
enum err pack_which(const char *name, struct arena *a, const char **ret_path) NODISCARD;

/* For pack_*.c. */
enum err pack_script(struct pack *p, const char *from, const char *dest, struct pack_words *entry) NODISCARD;
enum err pack_libraries(struct pack *p, const char *path, const char *inherited, int depth) NODISCARD;
enum err pack_place(const struct pack *p, const char *dest, char ret[PACK_PATH_BYTES]) NODISCARD;
const char *pack_base(const char *path); /* what follows the last '/' */

#endif
