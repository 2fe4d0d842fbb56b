/* primes --block K --size N [--route]: sorts the numbers K*N+1 .. K*N+N into prime.txt and not-prime.txt, one
 * a line. --route: each number goes to one of the project's streams prime and not-prime too, a record each.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/dugnad.h"

#define NUMBER_MAX 1000000000000u

static bool is_prime(uint64_t n)
{
    if (n < 4)
        return n > 1;
    if (n % 2 == 0)
        return false;
    for (uint64_t d = 3; d * d <= n; d += 2) {
        if (n % d == 0)
            return false;
    }
    return true;
}

static bool number(const char *text, uint64_t *ret)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    *ret = strtoull(text, &end, 10);
    return !*end && *ret <= NUMBER_MAX;
}

static int put(struct dugnad *grid, uint64_t n, bool prime, FILE *to, bool route)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, n);
    if (fprintf(to, "%s\n", text) < 0)
        return 1;
    return route && dugnad_route(grid, prime ? "prime" : "not-prime", text) != 0;
}

static int sort_out(uint64_t first, uint64_t count, FILE *prime, FILE *not_prime, bool route)
{
    struct dugnad grid;
    dugnad_init(&grid);
    for (uint64_t i = 0; i < count; i++) {
        bool is = is_prime(first + i);
        if (put(&grid, first + i, is, is ? prime : not_prime, route) != 0)
            return 1;
        dugnad_progress(&grid, (double)(i + 1) / (double)count);
        if (dugnad_should_stop(&grid) && i + 1 < count)
            return 75; /* EX_TEMPFAIL: not finished */
    }
    dugnad_done(&grid);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t block, size;
    bool route = argc == 6 && strcmp(argv[5], "--route") == 0;
    if ((argc != 5 && !route) || strcmp(argv[1], "--block") != 0 || strcmp(argv[3], "--size") != 0 ||
        !number(argv[2], &block) || !number(argv[4], &size) || (size && block > NUMBER_MAX / size)) {
        fprintf(stderr, "usage: %s --block K --size N [--route]\n", argv[0]);
        return 2;
    }
    FILE *prime = fopen("prime.txt", "w"), *not_prime = fopen("not-prime.txt", "w");
    if (!prime || !not_prime) {
        perror("primes: prime.txt, not-prime.txt");
        return 1;
    }
    int ret = sort_out(block * size + 1, size, prime, not_prime, route);
    bool written = fclose(prime) == 0;
    written = fclose(not_prime) == 0 && written;
    if (!written)
        perror("primes: prime.txt, not-prime.txt");
    return ret ? ret : !written;
}
