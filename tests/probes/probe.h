/* probe.h - ways out of the sandbox that must all be blocked: what takes some steps, what is one system call.
 */
#ifndef TESTS_PROBES_PROBE_H
#define TESTS_PROBES_PROBE_H

#include <stddef.h>

struct probe {
    const char *name;
    int (*got_through)(void);
};
extern const struct probe probe_ways[];
extern const size_t probe_ways_count;
extern const struct probe probe_sly[];
extern const size_t probe_sly_count;

/* Must fail. A pointer's place in a is named by what it points to. */
struct probe_call {
    const char *name;
    long number;
    long a[6];
};
extern const struct probe_call probe_calls[];
extern const size_t probe_calls_count;

#endif
