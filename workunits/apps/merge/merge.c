/* merge.c - the two commonest ways to put answers together, for a reducing stage: its inputs are in/NNN/PATH,
 * in their order.
 *
 *     merge concat            out.txt is all of them, one after the other
 *     merge concat --header   the same, but the first line is wanted once
 *     merge sum               line by line and word by word: numbers are added, what is no number must be
 * equal
 *
 * Whole numbers are added exactly, and it is an error when they grow too large; others as double, in the
 * order of the inputs, so that the answer is the same on every machine. What it writes it can read again: the
 * tree of a reducing stage needs nothing else. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, LINE_BYTES = 65536, PATH_ROOM = 1024 };

static char *files[FILES_MAX];
static int file_count;

static void fail(const char *where, const char *what)
{
    fprintf(stderr, "merge: %s: %s\n", where, what);
    exit(1);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* Files below a folder in the order of their names. */
static void find(const char *folder, int depth)
{
    struct dirent **list;
    int count = scandir(folder, &list, visible, by_name);
    if (count < 0)
        fail(folder, errno == ENOTDIR ? "is no folder" : strerror(errno));
    for (int i = 0; i < count; i++) {
        char path[PATH_ROOM];
        DIR *deeper;
        if (snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name) >= (int)sizeof path)
            fail(folder, "holds a name that is too long");
        if (depth < 8 && (deeper = opendir(path))) {
            closedir(deeper);
            find(path, depth + 1);
        } else if (file_count == FILES_MAX || !(files[file_count++] = strdup(path))) {
            fail(path, "one file too many");
        }
        free(list[i]);
    }
    free(list);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f)
        fail(path, strerror(errno));
    return f;
}

static void concat(FILE *out, int header)
{
    char piece[LINE_BYTES];
    for (int i = 0; i < file_count; i++) {
        FILE *in = open_file(files[i], "rb");
        size_t got;
        int c = header && i > 0 ? getc(in) : EOF;
        while (c != EOF && c != '\n')
            c = getc(in);
        while ((got = fread(piece, 1, sizeof piece, in)) > 0)
            if (fwrite(piece, 1, got, out) != got)
                fail("out.txt", strerror(errno));
        if (ferror(in))
            fail(files[i], "cannot be read");
        fclose(in);
    }
}

/* The word that text begins with, and what follows it. */
static char *cut_word(char **text)
{
    char *word = *text + strspn(*text, " \t,;");
    size_t len = strcspn(word, " \t,;\r\n");
    *text = word + len;
    return len ? word : NULL;
}

struct number {
    int is_whole;
    long long whole;
    double real;
};

static int read_number(const char *word, size_t len, struct number *ret)
{
    char text[400], *end;
    if (len >= sizeof text)
        return 0;
    memcpy(text, word, len);
    text[len] = 0;
    errno = 0;
    ret->whole = strtoll(text, &end, 10);
    ret->is_whole = !*end && errno == 0;
    ret->real = strtod(text, &end);
    return !*end && isfinite(ret->real) && !strpbrk(text, "xXpP");
}

static void add(struct number *sum, const struct number *n, const char *where)
{
    sum->is_whole = sum->is_whole && n->is_whole;
    sum->real += n->real;
    if (sum->is_whole && __builtin_add_overflow(sum->whole, n->whole, &sum->whole))
        fail(where, "the sum of its whole numbers is too large");
}

/* Word i of each line; the text between words is the first one's. */
static void add_lines(FILE *out, char (*lines)[LINE_BYTES], int count)
{
    char *at[FILES_MAX], *first;
    for (int i = 0; i < count; i++)
        at[i] = lines[i];
    for (;;) {
        char *before = at[0];
        struct number sum, n;
        first = cut_word(&at[0]);
        size_t len = first ? (size_t)(at[0] - first) : 0;
        int is_number = first && read_number(first, len, &sum);
        fwrite(before, 1, first ? (size_t)(first - before) : strlen(before), out);
        for (int i = 1; i < count; i++) {
            char *word = cut_word(&at[i]);
            size_t size = word ? (size_t)(at[i] - word) : 0;
            if (!word != !first)
                fail(files[i], "has a line with another number of words than the others");
            if (word && is_number && read_number(word, size, &n))
                add(&sum, &n, files[i]);
            else if (word && (size != len || memcmp(word, first, len) != 0))
                fail(files[i], "has a word that is no number and differs from the others'");
        }
        if (!first)
            return;
        if (is_number && sum.is_whole)
            fprintf(out, "%lld", sum.whole);
        else if (is_number)
            fprintf(out, "%.17g", sum.real);
        else
            fwrite(first, 1, len, out);
    }
}

static void sum(FILE *out)
{
    static char lines[FILES_MAX][LINE_BYTES];
    FILE *in[FILES_MAX];
    for (int i = 0; i < file_count; i++)
        in[i] = open_file(files[i], "r");
    for (;;) {
        int there = 0;
        for (int i = 0; i < file_count; i++) {
            lines[i][0] = 0;
            there += fgets(lines[i], LINE_BYTES, in[i]) != NULL;
            if (strlen(lines[i]) == LINE_BYTES - 1)
                fail(files[i], "has a line that is too long");
        }
        if (there == 0)
            break;
        if (there != file_count)
            fail("in", "the inputs have different numbers of lines");
        add_lines(out, lines, file_count);
    }
    for (int i = 0; i < file_count; i++)
        fclose(in[i]);
}

int main(int argc, char **argv)
{
    int header = argc == 3 && strcmp(argv[2], "--header") == 0;
    int is_concat = argc >= 2 && strcmp(argv[1], "concat") == 0 && (argc == 2 || header);
    if (!is_concat && (argc != 2 || strcmp(argv[1], "sum") != 0)) {
        fputs("Usage: merge concat [--header] | merge sum\n", stderr);
        return 2;
    }
    find("in", 0);
    FILE *out = open_file("out.txt", "w");
    if (is_concat)
        concat(out, header);
    else
        sum(out);
    if (fclose(out) != 0)
        fail("out.txt", strerror(errno));
    return 0;
}
