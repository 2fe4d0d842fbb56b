/* host.h - what this machine is and may give. host.c is the same everywhere, host_linux.c reads it from
 * Linux.
 */
#ifndef CLIENT_HOST_H
#define CLIENT_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "client/settings.h"
#include "wire/work_msg.h"

#define HOST_FEATURES_MAX 64

struct host {
    char os[128], cpu[128], app_class[64];
    uint32_t cores; /* may be used: of the machine, the daemon's affinity, the settings */
    uint32_t cores_built_in;
    uint64_t memory_bytes; /* may be used */
    uint64_t memory_bytes_built_in;
    uint64_t disk_bytes; /* may be used and is free or ours */
    uint32_t feature_count;
    char features[HOST_FEATURES_MAX][16];
    const char *feature_list[HOST_FEATURES_MAX]; /* points into features: do not copy the struct */
    double speed;
};

/* Takes a quarter of a second for the benchmark. folder: whose disk is meant. */
enum err host_read(const struct settings *s, const char *folder, struct host *ret) NODISCARD;
/* What may be used by other settings: the rest as host_read() found it. */
enum err host_limits(const struct settings *s, const char *folder, struct host *h) NODISCARD;
void host_facts_of(struct host *h, struct host_facts *ret); /* points into h */

/* Gives memory back that an idle process has no need of: freed heap, and code, which the system keeps for
 * others or reads again. */
void host_trim(void);

/* host_linux.c: what is built in */
void host_system(struct host *ret);
/* The resident memory and the processor time of this process, for status. */
void host_self(uint64_t *ret_memory_bytes, int64_t *ret_cpu_ms);

#endif
