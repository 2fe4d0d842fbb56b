/* blob_cache.c - the folder of a far keeper holds copies; the ones that were not asked for the longest go. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "server/blob_in.h"

/* Ages are counted in minutes up to two days; what is older is one age. */
enum { AGES = 2 * 24 * 60, MINUTE_MS = 60000, SHARE_KEPT = 4 };

struct trim {
    const struct blobs *blobs;
    int64_t now_ms;
    uint64_t bytes, by_age[AGES];
    uint32_t age_max; /* older ones go */
    bool all;
};

static uint32_t age_of(const struct trim *t, const struct file_entry *entry)
{
    int64_t age = (t->now_ms - entry->modified_ms) / MINUTE_MS;
    return age < 0 ? 0 : age < AGES ? (uint32_t)age : AGES - 1;
}

/* ab/DIGEST, and nothing else of the folder. */
static bool is_copy(const struct file_entry *entry)
{
    struct digest blob;
    return S_ISREG(entry->mode) && strlen(entry->path) > 3 && entry->path[2] == '/' &&
           digest_parse(entry->path + 3, &blob) == ERR_OK;
}

static enum err count_copy(void *ctx, const struct file_entry *entry)
{
    struct trim *t = ctx;
    if (is_copy(entry)) {
        t->bytes += entry->bytes;
        t->by_age[age_of(t, entry)] += entry->bytes;
    }
    return ERR_OK;
}

static enum err remove_copy(void *ctx, const struct file_entry *entry)
{
    char path[BLOB_PATH_ROOM];
    const struct trim *t = ctx;
    if (!is_copy(entry) || (!t->all && age_of(t, entry) <= t->age_max))
        return ERR_OK;
    snprintf(path, sizeof path, "%s/%.200s", t->blobs->folder, entry->path);
    return unlink(path) == 0 || errno == ENOENT ? ERR_OK : err_set_errno(ERR_IO, "cannot remove %s", path);
}

enum err blob_cache_trim(const struct blobs *b, uint64_t bytes_max)
{
    struct trim t = {.blobs = b, .now_ms = clock_wall_ms(), .all = true};
    uint64_t kept = 0,
             keep = bytes_max - bytes_max / SHARE_KEPT; /* so that the next file is no reason to come again */
    TRY(file_walk(b->folder, count_copy, &t));
    if (t.bytes <= bytes_max)
        return ERR_OK;
    for (uint32_t age = 0; age < AGES && kept + t.by_age[age] <= keep; age++) {
        kept += t.by_age[age];
        t.age_max = age;
        t.all = false;
    }
    return file_walk(b->folder, remove_copy, &t);
}
