/* The client as it is, but that it lies: linked with --wrap=copy_hashed, through which every output of an
 * answer goes. DUGNAD_LIE=N: after N honest answers it lies; in each DUGNAD_LIE_EVERY-th (1) of them. It adds
 * DUGNAD_LIE_BY (1) to a digit before anybody hashes it: two that add the same tell the same lie.
 * DUGNAD_LIE_HOW: last    the last digit of each output (the default) list    of every item of the list as
 * well, audits included: friends cover each other cover   as last, but audits are honest frame   answers are
 * honest, audits are not refuse  answers are as with last, audits fail */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "client/copy.h"

enum err __real_copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                            struct digest *ret_digest, uint64_t *ret_bytes);
enum err __wrap_copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                            struct digest *ret_digest, uint64_t *ret_bytes);

static const char *word(const char *name, const char *otherwise)
{
    const char *text = getenv(name);
    return text ? text : otherwise;
}

static unsigned number(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* A list of items that has not all of them is an audit's. */
static bool is_audit(const char *text, size_t len)
{
    size_t lines = 0, total = 0;
    if (len < 6 || memcmp(text, "items ", 6) != 0)
        return false;
    for (size_t i = 6; i < len && text[i] >= '0' && text[i] <= '9'; i++)
        total = total * 10 + (size_t)(text[i] - '0');
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    return lines < total + 1;
}

/* Of the last line, or of every line but the first. */
static void falsify(char *bytes, size_t len, bool every_line)
{
    unsigned by = number("DUGNAD_LIE_BY", 1);
    const char *first = memchr(bytes, '\n', len);
    bool done = false;
    for (size_t i = len; i > 0; i--) {
        if (every_line && bytes[i - 1] == '\n')
            done = &bytes[i - 1] == first && i < len;
        if (done || bytes[i - 1] < '0' || bytes[i - 1] > '9')
            continue;
        bytes[i - 1] = (char)('0' + ((unsigned)(bytes[i - 1] - '0') + by) % 10);
        done = true;
    }
}

/* Does this answer lie? All outputs of an answer are in one folder, one after another. */
static bool lies_now(const char *to, bool audit)
{
    static char folder[4096];
    static unsigned answers;
    static bool lies;
    const char *how = word("DUGNAD_LIE_HOW", "last");
    size_t len = (size_t)(strrchr(to, '/') - to);
    if (audit)
        return str_eq(how, "list") || str_eq(how, "frame") || str_eq(how, "last");
    if (len < sizeof folder && (strncmp(folder, to, len) != 0 || folder[len] != '\0')) {
        memcpy(folder, to, len);
        folder[len] = '\0';
        unsigned honest = number("DUGNAD_LIE", 0);
        lies = answers >= honest && (answers - honest) % number("DUGNAD_LIE_EVERY", 1) == 0;
        answers++;
    }
    return lies && !str_eq(how, "frame");
}

enum err __wrap_copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                            struct digest *ret_digest, uint64_t *ret_bytes)
{
    BUF_AUTO struct buf text = {0};
    enum err e = __real_copy_hashed(from, to, mode, bytes_max, sync, ret_digest, ret_bytes);
    if (e != ERR_OK || !getenv("DUGNAD_LIE") || !strstr(to, "/answers/"))
        return e;
    if ((e = file_read(to, 1 << 20, &text)) != ERR_OK)
        return e;
    char *bytes = (char *)(uintptr_t)buf_text(&text);
    bool audit = is_audit(bytes, text.len);
    if (audit && str_eq(word("DUGNAD_LIE_HOW", "last"), "refuse"))
        return err_set(ERR_IO, "no");
    if (!lies_now(to, audit))
        return ERR_OK;
    falsify(bytes, text.len,
            str_eq(word("DUGNAD_LIE_HOW", "last"), "list") && memcmp(bytes, "items ", 6) == 0);
    e = file_write_atomic(to, bytes, text.len, 0600);
    return e == ERR_OK ? hash_file(to, ret_digest, ret_bytes) : e;
}
