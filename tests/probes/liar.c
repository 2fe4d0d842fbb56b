/* The client as it is, but that it lies: linked with --wrap=copy_hashed, through which every output of an
 * answer goes. DUGNAD_LIE=N: after N honest outputs, DUGNAD_LIE_BY (1) is added to a digit of each before
 * anybody hashes it: two that add the same tell the same lie. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "client/copy.h"

enum err __real_copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                            struct digest *ret_digest, uint64_t *ret_bytes);
enum err __wrap_copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                            struct digest *ret_digest, uint64_t *ret_bytes);

static enum err falsify(const char *path, struct digest *ret_digest, uint64_t *ret_bytes)
{
    BUF_AUTO struct buf text = {0};
    enum err e = file_read(path, 1 << 20, &text);
    const char *by = getenv("DUGNAD_LIE_BY");
    char *bytes = (char *)(uintptr_t)buf_text(&text);
    for (size_t i = text.len; e == ERR_OK && i > 0; i--) {
        if (bytes[i - 1] < '0' || bytes[i - 1] > '9')
            continue;
        bytes[i - 1] = (char)('0' + (bytes[i - 1] - '0' + (by ? atoi(by) : 1)) % 10);
        break;
    }
    if (e == ERR_OK)
        e = file_write_atomic(path, bytes, text.len, 0600);
    return e == ERR_OK ? hash_file(path, ret_digest, ret_bytes) : e;
}

enum err __wrap_copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                            struct digest *ret_digest, uint64_t *ret_bytes)
{
    static unsigned honest;
    const char *lie = getenv("DUGNAD_LIE");
    enum err e = __real_copy_hashed(from, to, mode, bytes_max, sync, ret_digest, ret_bytes);
    if (e != ERR_OK || !lie || !strstr(to, "/answers/") || honest++ < strtoul(lie, NULL, 10))
        return e;
    return falsify(to, ret_digest, ret_bytes);
}
