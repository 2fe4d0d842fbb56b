/* host_linux.c - see host.h */
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "client/host.h"

/* Names as in /proc/cpuinfo of what apps may ask for; "pni" is how Linux says sse3. */
static const char *const known[] = {
    "pni",      "ssse3",    "sse4_1",   "sse4_2",   "popcnt",      "avx",         "f16c",     "fma",
    "avx2",     "bmi1",     "bmi2",     "aes",      "pclmulqdq",   "sha_ni",      "adx",      "avx512f",
    "avx512dq", "avx512cd", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd",
    "asimddp",  "sve",      "sve2",     "sha2",     "crc32",       "atomics"};

enum { FILE_ROOM = 64 << 10 };

/* The start of a file of /proc, which has no size. */
static bool read_start(const char *path, char *ret, size_t room)
{
    FILE *f = fopen(path, "re");
    size_t got = f ? fread(ret, 1, room - 1, f) : 0;
    ret[got] = 0;
    if (f)
        fclose(f);
    return got > 0;
}

/* The rest of the first line "key...: value". */
static void line_value(const char *text, const char *key, char *ret, size_t room)
{
    const char *at = text;
    while (at && strncmp(at, key, strlen(key)) != 0)
        at = (at = strchr(at, '\n')) ? at + 1 : NULL;
    const char *colon = at ? strchr(at, ':') : NULL;
    if (!colon)
        return;
    colon += 1 + strspn(colon + 1, " \t");
    snprintf(ret, room, "%.*s", (int)strcspn(colon, "\n"), colon);
}

static void add_features(const char *flags, struct host *h)
{
    for (size_t k = 0; k < sizeof known / sizeof *known && h->feature_count < HOST_FEATURES_MAX; k++) {
        size_t len = strlen(known[k]);
        const char *at = flags;
        while ((at = strstr(at, known[k])) &&
               !((at == flags || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0)))
            at += len;
        if (!at)
            continue;
        snprintf(h->features[h->feature_count], sizeof h->features[0], "%s",
                 strcmp(known[k], "pni") == 0 ? "sse3" : known[k]);
        h->feature_count++;
    }
}

static void read_cpu(struct host *h)
{
    char *text = malloc(FILE_ROOM), *flags = malloc(FILE_ROOM);
    char family[16] = "", model[16] = "", vendor[32] = "";
    if (text && flags && read_start("/proc/cpuinfo", text, FILE_ROOM)) {
        *flags = 0;
        line_value(text, "model name", h->cpu, sizeof h->cpu);
        line_value(text, "vendor_id", vendor, sizeof vendor);
        line_value(text, "cpu family", family, sizeof family);
        line_value(text, "model\t", model, sizeof model);
        line_value(text, "flags", flags, FILE_ROOM);
        if (!*flags)
            line_value(text, "Features", flags, FILE_ROOM);
        add_features(flags, h);
    }
    /* machines of one class give the same to the bit, as far as that can be said of a processor */
    const char *maker = strcmp(vendor, "GenuineIntel") == 0   ? "intel"
                        : strcmp(vendor, "AuthenticAMD") == 0 ? "amd"
                                                              : "other";
    snprintf(h->app_class, sizeof h->app_class, "%s-%s-%s", maker, *family ? family : "0",
             *model ? model : "0");
    free(text);
    free(flags);
}

static void read_os(struct host *h)
{
    char text[4096], name[96] = "Linux";
    struct utsname u;
    if (read_start("/etc/os-release", text, sizeof text)) {
        const char *at = strstr(text, "PRETTY_NAME=");
        if (at && (at == text || at[-1] == '\n')) {
            at += strlen("PRETTY_NAME=");
            at += *at == '"';
            snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\"\n"), at);
        }
    }
    if (uname(&u) == 0)
        snprintf(h->os, sizeof h->os, "%s, Linux %.24s", name, u.release);
    else
        snprintf(h->os, sizeof h->os, "%s", name);
}

void host_system(struct host *h)
{
    cpu_set_t set;
    struct sysinfo info;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        cores = CPU_COUNT(&set);
    h->cores_built_in = cores > 0 ? (uint32_t)cores : 1;
    if (sysinfo(&info) == 0)
        h->memory_bytes_built_in = (uint64_t)info.totalram * info.mem_unit;
    read_os(h);
    read_cpu(h);
}

void host_self(uint64_t *ret_memory_bytes, int64_t *ret_cpu_ms)
{
    char text[128];
    unsigned long pages = 0;
    struct rusage use;
    if (read_start("/proc/self/statm", text, sizeof text))
        (void)!sscanf(text, "%*u %lu", &pages);
    *ret_memory_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    getrusage(RUSAGE_SELF, &use);
    *ret_cpu_ms = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
                  (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

/* Segments that are never written are the file's: the system keeps their pages for others, and gives them
 * back when they are touched. */
static int drop_code(struct dl_phdr_info *info, size_t size, void *page)
{
    uintptr_t mask = *(const uintptr_t *)page - 1;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t from = ((uintptr_t)info->dlpi_addr + h->p_vaddr) & ~mask;
        uintptr_t until = ((uintptr_t)info->dlpi_addr + h->p_vaddr + h->p_memsz) & ~mask;
        if (h->p_type == PT_LOAD && !(h->p_flags & PF_W) && until > from)
            (void)madvise((void *)from, until - from, MADV_DONTNEED);
    }
    return 0;
}

void host_trim(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    malloc_trim(0);
    dl_iterate_phdr(drop_code, &page);
}
