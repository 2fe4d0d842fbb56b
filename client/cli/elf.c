/* elf.c - reading ELF files, see elf.h. Every offset is checked: the file may be damaged. */
#include "client/cli/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

struct image {
    const char *path;
    const unsigned char *bytes;
    size_t len;
    Elf64_Ehdr head;
};

static enum err damaged(const struct image *i, const char *what)
{
    return err_set(ERR_INVALID, "%s is a damaged ELF file: its %s is out of bounds", i->path, what);
}

static bool within(const struct image *i, uint64_t offset, uint64_t bytes)
{
    return offset <= i->len && bytes <= i->len - offset;
}

static enum err map(const char *path, struct image *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    enum err e = ERR_OK;
    void *bytes = MAP_FAILED;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(Elf64_Ehdr))
        e = err_set(ERR_INVALID, "%s is no program: it is not a regular file or too short", path);
    else if ((bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        e = err_set_errno(ERR_IO, "cannot map %s", path);
    close(fd);
    if (e == ERR_OK)
        *ret = (struct image){.path = path, .bytes = bytes, .len = (size_t)st.st_size};
    return e;
}

static enum err check_head(struct image *i)
{
    memcpy(&i->head, i->bytes, sizeof i->head);
    if (memcmp(i->head.e_ident, ELFMAG, SELFMAG) != 0)
        return err_set(ERR_INVALID, "%s is no ELF program", i->path);
    if (i->head.e_ident[EI_CLASS] != ELFCLASS64 || i->head.e_machine != MACHINE)
        return err_set(ERR_UNSUPPORTED,
                       "%s is built for another machine than this one: pack it where it runs", i->path);
    if (i->head.e_phentsize != sizeof(Elf64_Phdr) ||
        !within(i, i->head.e_phoff, (uint64_t)i->head.e_phnum * sizeof(Elf64_Phdr)))
        return damaged(i, "program header table");
    return ERR_OK;
}

static Elf64_Phdr segment(const struct image *i, unsigned n)
{
    Elf64_Phdr p;
    memcpy(&p, i->bytes + i->head.e_phoff + (uint64_t)n * sizeof p, sizeof p);
    return p;
}

/* Where an address of the loaded program stands in the file. */
static bool offset_of(const struct image *i, uint64_t address, uint64_t *ret)
{
    for (unsigned n = 0; n < i->head.e_phnum; n++) {
        Elf64_Phdr p = segment(i, n);
        if (p.p_type == PT_LOAD && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz) {
            *ret = address - p.p_vaddr + p.p_offset;
            return *ret < i->len;
        }
    }
    return false;
}

/* A text in the file, copied; NULL when it does not end within. */
static const char *text_at(const struct image *i, uint64_t offset, struct arena *a)
{
    if (offset >= i->len)
        return NULL;
    const char *text = (const char *)i->bytes + offset;
    size_t len = strnlen(text, i->len - offset);
    return len < i->len - offset && len < 4096 ? arena_bytes(a, text, len) : NULL;
}

static enum err read_loader(const struct image *i, struct arena *a, struct elf *ret)
{
    for (unsigned n = 0; n < i->head.e_phnum; n++) {
        Elf64_Phdr p = segment(i, n);
        if (p.p_type != PT_INTERP)
            continue;
        if (!within(i, p.p_offset, p.p_filesz) || p.p_filesz < 2 ||
            !(ret->loader = text_at(i, p.p_offset, a)))
            return damaged(i, "interpreter's name");
        ret->loader_offset = p.p_offset;
        ret->loader_room = p.p_filesz;
    }
    return ERR_OK;
}

struct dynamic {
    uint64_t strings; /* offset of the string table in the file */
    uint64_t first, count;
};

static Elf64_Dyn entry(const struct image *i, const struct dynamic *d, uint64_t n)
{
    Elf64_Dyn dyn;
    memcpy(&dyn, i->bytes + d->first + n * sizeof dyn, sizeof dyn);
    return dyn;
}

/* false: there is no dynamic section. */
static enum err find_dynamic(const struct image *i, struct dynamic *ret, bool *ret_there)
{
    *ret_there = false;
    for (unsigned n = 0; n < i->head.e_phnum; n++) {
        Elf64_Phdr p = segment(i, n);
        if (p.p_type != PT_DYNAMIC)
            continue;
        if (!within(i, p.p_offset, p.p_filesz))
            return damaged(i, "dynamic section");
        *ret = (struct dynamic){.first = p.p_offset, .count = p.p_filesz / sizeof(Elf64_Dyn)};
        *ret_there = true;
    }
    for (uint64_t n = 0; *ret_there && n < ret->count; n++) {
        Elf64_Dyn dyn = entry(i, ret, n);
        if (dyn.d_tag == DT_NULL)
            ret->count = n;
        else if (dyn.d_tag == DT_STRTAB && !offset_of(i, dyn.d_un.d_ptr, &ret->strings))
            return damaged(i, "string table");
    }
    return ERR_OK;
}

static enum err read_entry(const struct image *i, const struct dynamic *d, const Elf64_Dyn *dyn,
                           struct arena *a, struct elf *ret)
{
    if (dyn->d_tag == DT_FLAGS_1 && dyn->d_un.d_val & DF_1_PIE)
        ret->program = true;
    if (dyn->d_tag != DT_NEEDED && dyn->d_tag != DT_SONAME && dyn->d_tag != DT_RPATH &&
        dyn->d_tag != DT_RUNPATH)
        return ERR_OK;
    const char *text = text_at(i, d->strings + dyn->d_un.d_val, a);
    if (!text)
        return damaged(i, "list of libraries");
    if (dyn->d_tag == DT_SONAME)
        ret->soname = text;
    if (dyn->d_tag == DT_RUNPATH || (dyn->d_tag == DT_RPATH && !ret->search)) {
        ret->search = text;
        ret->search_inherited = dyn->d_tag == DT_RPATH;
    }
    if (dyn->d_tag == DT_NEEDED && ret->needed_count == ELF_NEEDED_MAX)
        return err_set(ERR_LIMIT, "%s wants more than %d libraries", i->path, ELF_NEEDED_MAX);
    if (dyn->d_tag == DT_NEEDED)
        ret->needed[ret->needed_count++] = text;
    return ERR_OK;
}

static enum err read_dynamic(const struct image *i, struct arena *a, struct elf *ret)
{
    struct dynamic d = {0};
    bool there;
    enum err e = find_dynamic(i, &d, &there);
    ret->needed = arena_array(a, ELF_NEEDED_MAX, sizeof *ret->needed);
    if (e == ERR_OK && !ret->needed)
        return ERR_NOMEM;
    for (uint64_t n = 0; e == ERR_OK && there && n < d.count; n++) {
        Elf64_Dyn dyn = entry(i, &d, n);
        e = read_entry(i, &d, &dyn, a, ret);
    }
    if (e == ERR_OK && ret->search && !(ret->search = elf_expand(ret->search, i->path, a)))
        return ERR_NOMEM;
    return e;
}

enum err elf_read(const char *path, struct arena *a, struct elf *ret)
{
    struct image i = {0};
    struct elf elf = {0};
    enum err e = map(path, &i);
    if (e != ERR_OK)
        return e;
    if ((e = check_head(&i)) == ERR_OK && (e = read_loader(&i, a, &elf)) == ERR_OK &&
        (e = read_dynamic(&i, a, &elf)) == ERR_OK) {
        elf.program = elf.program || elf.loader || i.head.e_type == ET_EXEC;
        *ret = elf;
    }
    munmap((void *)i.bytes, i.len);
    return e;
}

bool elf_is(const char *path)
{
    char magic[SELFMAG] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is = fd >= 0 && read(fd, magic, sizeof magic) == (ssize_t)sizeof magic &&
              memcmp(magic, ELFMAG, SELFMAG) == 0;
    if (fd >= 0)
        close(fd);
    return is;
}
