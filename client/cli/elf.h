/* elf.h - what the packer must know of an ELF file: who loads it and which libraries it wants. */
#ifndef CLI_ELF_H
#define CLI_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define ELF_NEEDED_MAX 256

struct elf {
    bool program;       /* may be started: it has an entry point, and is no plain library */
    const char *loader; /* PT_INTERP; NULL: none, static */
    const char *soname; /* NULL: none */
    const char *search; /* DT_RUNPATH, else DT_RPATH: folders with ':' between, $ORIGIN put in; NULL: none */
    bool search_inherited; /* it is a DT_RPATH: it holds for the libraries of its libraries too */
    uint32_t needed_count;
    const char **needed;    /* names of libraries, mostly without a '/' */
    uint64_t loader_offset; /* where PT_INTERP stands in the file */
    uint64_t loader_room;   /* and how long it is, with its NUL */
};

/* Is it an ELF file at all? Anything unreadable is not. */
bool elf_is(const char *path);
/* Texts live in the arena. ERR_UNSUPPORTED for another machine than this one, ERR_INVALID for a damaged file.
 */
enum err elf_read(const char *path, struct arena *a, struct elf *ret) NODISCARD;

/* A search path as it is written in the file at path, with $ORIGIN put in; folders with other variables are
 * left out, as only the loader knows them. NULL when out of memory. */
const char *elf_expand(const char *search, const char *path, struct arena *a);

/* Finds the library `name` that `user` (its path and elf) wants: DT_RPATH/DT_RUNPATH, LD_LIBRARY_PATH,
 * /etc/ld.so.conf, the default folders. inherited: DT_RPATHs of those that led here, ':' between, may be
 * NULL. ERR_MISSING with a sentence that names both. */
enum err elf_find(const char *name, const char *user, const struct elf *elf, const char *inherited,
                  struct arena *a, const char **ret_path) NODISCARD;

#endif
