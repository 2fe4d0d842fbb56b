/* counts.c - how often each value stands in a column, for tables larger than any memory: parts are counted,
 * then counts are merged.
 *
 *     counts COLUMN TABLE.csv     writes counts.tsv: VALUE<tab>COUNT, in the order of the values' bytes
 *     counts --merge              merges in/NNN/counts.tsv of all NNN into counts.tsv, a line of each at a
 * time
 *
 * Fields may be quoted as in RFC 4180; a value of more than 1,000 bytes, or with a tab or a line feed, is an
 * error. Counting a part takes memory for its different values; merging takes a line of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES = 1000, FILES_MAX = 64, BUCKETS_FIRST = 1024 };

struct entry {
    char *value;
    unsigned long long count;
};

struct table {
    struct entry *entries; /* open addressing; value NULL: empty */
    size_t room, used;
};

static int fail(const char *what, const char *where)
{
    fprintf(stderr, "counts: %s: %s\n", where, what);
    exit(1);
}

static size_t hash(const char *text)
{
    size_t h = 14695981039346656037u; /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

static struct entry *find(struct entry *entries, size_t room, const char *value)
{
    size_t i = hash(value) & (room - 1);
    while (entries[i].value && strcmp(entries[i].value, value) != 0)
        i = (i + 1) & (room - 1);
    return &entries[i];
}

static void grow(struct table *t)
{
    size_t room = t->room ? t->room * 2 : BUCKETS_FIRST;
    struct entry *more = calloc(room, sizeof *more);
    if (!more)
        fail("no memory for so many different values: take fewer rows in a part", "table");
    for (size_t i = 0; i < t->room; i++)
        if (t->entries[i].value)
            *find(more, room, t->entries[i].value) = t->entries[i];
    free(t->entries);
    t->entries = more;
    t->room = room;
}

static void add(struct table *t, const char *value)
{
    if (t->used * 2 >= t->room)
        grow(t);
    struct entry *e = find(t->entries, t->room, value);
    if (!e->value) {
        if (!(e->value = strdup(value)))
            fail("no memory for so many different values: take fewer rows in a part", "table");
        t->used++;
    }
    e->count++;
}

/* One field; what ended it: ',', '\n' or EOF. */
static int read_field(FILE *in, char value[VALUE_BYTES + 1])
{
    size_t len = 0;
    int quoted = 0, c = getc(in);
    if (c == '"') {
        quoted = 1;
        c = getc(in);
    }
    for (;; c = getc(in)) {
        if (quoted && c == '"' && (c = getc(in)) != '"')
            quoted = 0; /* "" is one of them */
        if (c == EOF || (!quoted && (c == ',' || c == '\n')))
            break;
        if (c == '\t' || c == '\n' || len == VALUE_BYTES)
            fail("a value is longer than 1000 bytes or holds a tab or a line feed", "table");
        if (c != '\r')
            value[len++] = (char)c;
    }
    value[len] = '\0';
    return c;
}

static int column_of(FILE *in, const char *name)
{
    char value[VALUE_BYTES + 1];
    int found = -1, end = ',';
    for (int i = 0; end == ','; i++) {
        end = read_field(in, value);
        if (strcmp(value, name) == 0)
            found = i;
    }
    return found >= 0 ? found : fail("the header has no such column", name);
}

static int by_value(const void *x, const void *y)
{
    return strcmp(((const struct entry *)x)->value, ((const struct entry *)y)->value);
}

static FILE *open_file(const char *path, const char *how)
{
    FILE *f = fopen(path, how);
    if (!f)
        fail("cannot be opened", path);
    return f;
}

static void end_file(FILE *out)
{
    if (fclose(out) != 0)
        fail("cannot be written", "counts.tsv");
}

static void count(const char *column, const char *path)
{
    char value[VALUE_BYTES + 1];
    struct table t = {0};
    FILE *in = open_file(path, "r"), *out;
    int wanted = column_of(in, column), at = 0, end = '\n';
    for (int c; (c = getc(in)) != EOF || at > 0;) {
        if (c != EOF)
            ungetc(c, in);
        end = read_field(in, value);
        if (at == wanted)
            add(&t, value);
        at = end == ',' ? at + 1 : 0;
    }
    size_t n = 0;
    for (size_t i = 0; i < t.room; i++)
        if (t.entries[i].value)
            t.entries[n++] = t.entries[i];
    if (n > 0)
        qsort(t.entries, n, sizeof *t.entries, by_value);
    out = open_file("counts.tsv", "w");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s\t%llu\n", t.entries[i].value, t.entries[i].count);
    end_file(out);
}

struct part {
    FILE *in;
    char value[VALUE_BYTES + 2];
    unsigned long long count;
};

static int next(struct part *p)
{
    char line[VALUE_BYTES + 32];
    if (!fgets(line, sizeof line, p->in))
        return 0;
    char *tab = strrchr(line, '\t');
    if (!tab || tab - line > VALUE_BYTES)
        fail("a line is no count", "counts.tsv of a part");
    *tab = '\0';
    memcpy(p->value, line, (size_t)(tab - line) + 1);
    p->count = strtoull(tab + 1, NULL, 10);
    return 1;
}

static void merge(void)
{
    static struct part parts[FILES_MAX];
    char path[64], value[VALUE_BYTES + 2];
    int n = 0;
    for (int i = 0; i < FILES_MAX; i++) {
        snprintf(path, sizeof path, "in/%03d/counts.tsv", i);
        FILE *in = fopen(path, "r");
        if (!in)
            break;
        parts[n].in = in;
        n += next(&parts[n]);
    }
    FILE *out = open_file("counts.tsv", "w");
    while (n > 0) {
        unsigned long long sum = 0;
        int least = 0;
        for (int i = 1; i < n; i++)
            if (strcmp(parts[i].value, parts[least].value) < 0)
                least = i;
        memcpy(value, parts[least].value, sizeof value);
        for (int i = n - 1; i >= 0; i--) {
            if (strcmp(parts[i].value, value) != 0)
                continue;
            sum += parts[i].count;
            if (!next(&parts[i]))
                parts[i] = parts[--n];
        }
        fprintf(out, "%s\t%llu\n", value, sum);
    }
    end_file(out);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--merge") == 0) {
        merge();
    } else if (argc == 3) {
        count(argv[1], argv[2]);
    } else {
        fprintf(stderr, "usage: counts COLUMN TABLE.csv, or counts --merge\n");
        return 2;
    }
    return 0;
}
