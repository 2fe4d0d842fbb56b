/* fuzz_client_journal.c - whatever lies where the journal should be: it opens, what it tells can be written
 * again and is then told the same, and what is appended is found by the next start. The first byte says
 * whether the rest is the file as it is, or lines whose sums are made right here, so that the records behind
 * them are reached. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/journal.h"
#include "fuzz/again.h"

struct file {
    int fd;
    char path[40];
};

static struct file make(void)
{
    struct file f = {.fd = memfd_create("journal", MFD_CLOEXEC)};
    if (f.fd < 0)
        abort();
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

static void put(const struct file *f, const void *bytes, size_t len)
{
    if (write(f->fd, bytes, len) != (ssize_t)len)
        abort();
}

static void put_line(const struct file *f, const uint8_t *line, size_t len)
{
    char sum[DIGEST_TEXT_BYTES];
    struct digest d = hash_bytes(line, len);
    digest_text(&d, sum);
    put(f, sum, 16);
    put(f, " ", 1);
    put(f, line, len);
    put(f, "\n", 1);
}

static void put_lines(const struct file *f, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        const uint8_t *end = memchr(bytes, '\n', len);
        size_t line = end ? (size_t)(end - bytes) : len;
        put_line(f, bytes, line);
        bytes += end ? line + 1 : line;
        len -= end ? line + 1 : line;
    }
}

struct told {
    struct journal *copy; /* what is told is added to it; may be NULL */
    uint32_t count;
    struct journal_record last;
};

static void on_record(void *ctx, const struct journal_record *r)
{
    struct told *t = ctx;
    assert(r->kind < JOURNAL_KINDS && (r->kind != JOURNAL_FINISHED || r->outcome.word));
    t->count++;
    t->last = *r;
    if (t->copy)
        again_must(journal_add(t->copy, r), "journal_add");
}

static struct journal *open_it(const struct file *f, struct told *t, uint32_t *ret_skipped)
{
    struct journal *j = NULL;
    again_must(journal_open(f->path, on_record, t, &j, ret_skipped), "journal_open");
    return j;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct file given = make(), copy = make();
    struct told first = {0}, second = {0}, third = {0}, none = {0};
    uint32_t skipped = 0;
    if (len > 0 && bytes[0] == 'L')
        put_lines(&given, bytes + 1, len - 1);
    else if (len > 0)
        put(&given, bytes + 1, len - 1);
    first.copy = open_it(&copy, &none, &skipped);
    struct journal *j = open_it(&given, &first, &skipped);
    struct journal_record r = {.kind = JOURNAL_FORGOTTEN, .id = {wu_id_make(7, 3), 1}};
    again_must(journal_add(j, &r), "journal_add");
    again_must(journal_sync(j), "journal_sync");
    journal_close(j);
    journal_close(first.copy);

    journal_close(open_it(&copy, &second, &skipped));
    assert(skipped == 0 && second.count == first.count);
    journal_close(open_it(&given, &third, &skipped));
    assert(third.count == first.count + 1 && third.last.kind == JOURNAL_FORGOTTEN &&
           third.last.id.unit == r.id.unit);
    close(given.fd);
    close(copy.fd);
    return 0;
}
