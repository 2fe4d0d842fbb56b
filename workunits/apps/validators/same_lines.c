/* same_lines [--comment C] FILE...: a validator. The answers in the folders a and b are equal when each FILE
 * has the same lines in both, lines that start with the character C left out: for programs that write the
 * date or the time they took into a comment. Exit status 0 equal, 1 different, 2 unusable (and which, on
 * standard output), as PROTOCOL.md section 6 asks of a validator. A file that is missing in one is unusable
 * there; missing in both (an optional output) it is equal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { EQUAL, DIFFERENT, UNUSABLE, BROKEN = 3 };

struct side {
    FILE *file;
    char *line;
    size_t room;
    ssize_t len;
};

static FILE *open_in(const char *folder, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(path, "r");
}

/* The next line that counts; len is -1 at the end. */
static void advance(struct side *s, int comment)
{
    do
        s->len = getline(&s->line, &s->room, s->file);
    while (s->len > 0 && comment && (unsigned char)s->line[0] == comment);
}

static int compare(struct side *a, struct side *b, int comment)
{
    do {
        advance(a, comment);
        advance(b, comment);
        if (a->len != b->len || (a->len > 0 && memcmp(a->line, b->line, (size_t)a->len) != 0))
            return DIFFERENT;
    } while (a->len > 0);
    return ferror(a->file) || ferror(b->file) ? BROKEN : EQUAL;
}

static int compare_file(const char *name, int comment)
{
    struct side a = {.file = open_in("a", name)}, b = {.file = open_in("b", name)};
    int ret = EQUAL;
    if (a.file && b.file)
        ret = compare(&a, &b, comment);
    else if (a.file || b.file) {
        printf("unusable %s\n", a.file ? "b" : "a");
        ret = UNUSABLE;
    } else if (errno != ENOENT) {
        ret = BROKEN;
    }
    free(a.line);
    free(b.line);
    if (a.file)
        fclose(a.file);
    if (b.file)
        fclose(b.file);
    return ret;
}

int main(int argc, char **argv)
{
    int at = 1, comment = 0, ret = EQUAL;
    if (argc > 2 && strcmp(argv[1], "--comment") == 0) {
        comment = (unsigned char)argv[2][0];
        at = 3;
    }
    if (at >= argc) {
        fprintf(stderr, "usage: %s [--comment C] FILE...\n", argv[0]);
        return BROKEN;
    }
    for (; at < argc && ret == EQUAL; at++)
        ret = compare_file(argv[at], comment);
    if (ret == BROKEN)
        fprintf(stderr, "same_lines: an answer cannot be read: %s\n", strerror(errno));
    return ret;
}
