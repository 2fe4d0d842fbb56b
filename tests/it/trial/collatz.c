/* Which of a file's numbers takes the most steps to 1. */
#include <stdio.h>

int main(int argc, char **argv)
{
    FILE *in = fopen(argv[argc - 1], "r");
    unsigned long n, best = 0, most = 0;
    if (!in) {
        perror(argv[argc - 1]);
        return 1;
    }
    while (fscanf(in, "%lu", &n) == 1) {
        unsigned long steps = 0;
        for (unsigned long x = n; x != 1; steps++)
            x = x % 2 ? 3 * x + 1 : x / 2;
        if (steps > most) {
            most = steps;
            best = n;
        }
    }
    printf("%lu takes %lu steps\n", best, most);
}
