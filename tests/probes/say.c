/* say.c - a well-behaved app, for tests: `say [--sleep MS] [--exit N] [--bytes N] [--read FILE] [--stdin]
 * [--out FILE] [WORD..]` prints the words, FILE, standard input or N bytes. Linked statically, so that it
 * runs anywhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void copy(FILE *from, FILE *to)
{
    static char block[1 << 16];
    size_t n;
    while ((n = fread(block, 1, sizeof block, from)) > 0)
        fwrite(block, 1, n, to);
}

static void rest(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
    FILE *out = stdout, *in;
    int status = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--stdin") == 0) {
            copy(stdin, out);
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            fprintf(out, "%s\n", argv[i]);
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--sleep") == 0) {
            rest(atol(value));
        } else if (strcmp(argv[i - 1], "--exit") == 0) {
            status = atoi(value);
        } else if (strcmp(argv[i - 1], "--bytes") == 0) {
            for (long n = atol(value); n > 0; n--)
                fputc('x', out);
        } else if (strcmp(argv[i - 1], "--read") == 0 && (in = fopen(value, "r"))) {
            copy(in, out);
            fclose(in);
        } else if (strcmp(argv[i - 1], "--out") == 0 && (in = fopen(value, "w"))) {
            out = in;
        } else {
            fprintf(stderr, "say: cannot do %s %s\n", argv[i - 1], value);
            return 2;
        }
    }
    if (status)
        fprintf(stderr, "say: was told to end with %d\n", status);
    return fclose(out) == 0 ? status : 4;
}
