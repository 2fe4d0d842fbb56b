/* verdict.c - a validator, for tests: `verdict HOW` looks at the files a/out and b/out in ways good and bad.
 * Linked statically, so that it runs in the sandbox's empty root. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int first_of(const char *path)
{
    FILE *f = fopen(path, "r");
    int c = f ? getc(f) : '?';
    if (f)
        fclose(f);
    return c;
}

/* Equal first letters are equal answers; '?' is no answer. */
static int letters(int a, int b)
{
    if (a == '?' || b == '?') {
        printf("unusable %s\n", a == '?' ? "a" : "b");
        return 2;
    }
    return a != b;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    if (strcmp(how, "letters") == 0)
        return letters(first_of("a/out"), first_of("b/out"));
    if (strcmp(how, "spin") == 0)
        for (volatile unsigned long n = 0;; n++)
            ;
    if (strcmp(how, "crash") == 0)
        abort();
    if (strcmp(how, "vague") == 0) {
        printf("unusable answer\n");
        return 2;
    }
    if (strcmp(how, "link") == 0 || strcmp(how, "pipe") == 0) {
        unlink("verdict.txt");
        if (how[0] == 'l' ? symlink("a/out", "verdict.txt") : mkfifo("verdict.txt", 0600))
            return 9;
        return 2;
    }
    if (strcmp(how, "flood") == 0)
        for (int i = 0; i < 10000; i++)
            printf("unusable a\n");
    return strcmp(how, "mute") == 0 || strcmp(how, "flood") == 0 ? 2 : 7;
}
