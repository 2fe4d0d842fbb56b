/* load_cpu.h - what the generator and the threads of a server on the same machine have taken of the
 * processors. */
#ifndef BENCH_LOAD_CPU_H
#define BENCH_LOAD_CPU_H

#include <stdint.h>
#include <stdio.h>

enum { LOAD_NAMES_MAX = 16, LOAD_NAME_BYTES = 20 };

struct load_cpu {
    uint64_t own_us, all_us; /* all_us: of the server */
    uint32_t name_count;
    struct {
        char name[LOAD_NAME_BYTES]; /* threads of one name are added up */
        uint64_t us;
    } names[LOAD_NAMES_MAX];
};

void load_cpu_take(uint32_t server_pid, struct load_cpu *ret); /* 0: there is no server to be seen */
/* Members of a JSON object: microseconds a reply between two looks. */
void load_cpu_print(const struct load_cpu *from, const struct load_cpu *to, uint64_t replies, FILE *out);

#endif
