/* Bundles: every entry that is listed is safe, and a bundle that is accepted is the one that the writer makes
 * of its files: no two archives mean the same. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "fuzz/again.h"
#include "wire/bundle.h"

struct seen {
    uint64_t bytes, size;
    uint32_t files;
};

static enum err see(void *ctx, const struct bundle_entry *entry)
{
    struct seen *s = ctx;
    assert(str_is_safe_path(entry->path));
    assert(entry->offset + entry->bytes <= s->size && (!entry->folder || !entry->bytes));
    s->bytes += entry->bytes;
    s->files++;
    return ERR_OK;
}

static void pack_again(int fd, const uint8_t *bytes, size_t len)
{
    char root[] = "/tmp/fuzz-bundle-XXXXXX", out[64], tar[64];
    BUF_AUTO struct buf again = {0};
    if (!mkdtemp(root))
        abort();
    snprintf(out, sizeof out, "%s/out", root);
    snprintf(tar, sizeof tar, "%s/again.tar", root);
    again_must(bundle_unpack(fd, out), "bundle_unpack of what was listed");
    again_must(bundle_pack(out, tar), "bundle_pack of what was unpacked");
    again_must(file_read(tar, 64u << 20, &again), "file_read");
    assert(again.len == len && memcmp(again.data, bytes, len) == 0);
    again_must(file_remove_tree(root), "file_remove_tree");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct seen s = {.size = len};
    int fd = memfd_create("bundle", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        abort();
    if (bundle_list(fd, see, &s) == ERR_OK)
        pack_again(fd, bytes, len);
    close(fd);
    return 0;
}
