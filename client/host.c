/* host.c - see host.h */
#include "client/host.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"

/* Rounds of the benchmark that one core of the reference machine does in a second: a server core of 2023
 * at 2.6 GHz. */
#define REFERENCE_ROUNDS_S 360e6
#define RUNS_MAX           192u

enum { TRIES = 5, ROUNDS = 1 << 24, BATCH = 1 << 16, SHARE_US = 45000 };

/* Integers, multiplication, branches and floating point, all in registers: roughly what a core can do. */
static uint64_t work(uint64_t x, uint32_t rounds)
{
    double f = 1.0;
    for (uint32_t i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        f = f * 0.999999 + (double)(x & 1);
        if ((x & 0xFF) == 0)
            f *= 0.5;
    }
    return x + (uint64_t)f;
}

/* The best of a few tries: whatever disturbs makes it only slower. */
static double benchmark(void)
{
    double best = 0;
    volatile uint64_t keep = 88172645463325252ull;
    for (int t = 0; t < TRIES; t++) {
        int64_t start = clock_mono_us(), now = start;
        uint32_t rounds = 0;
        while (now - start < SHARE_US && rounds < ROUNDS) {
            keep = work(keep, BATCH);
            rounds += BATCH;
            now = clock_mono_us();
        }
        double rate = now > start ? (double)rounds * 1e6 / (double)(now - start) : 0;
        best = rate > best ? rate : best;
    }
    return best / REFERENCE_ROUNDS_S;
}

enum err host_limits(const struct settings *s, const char *folder, struct host *h)
{
    uint64_t free_bytes;
    enum err e = file_disk_free(folder, &free_bytes);
    if (e != ERR_OK)
        return e;
    h->cores =
        s->cores > 0 && (uint64_t)s->cores < h->cores_built_in ? (uint32_t)s->cores : h->cores_built_in;
    h->cores = h->cores > RUNS_MAX ? RUNS_MAX : h->cores;
    h->memory_bytes = s->memory_bytes && s->memory_bytes < h->memory_bytes_built_in ? s->memory_bytes
                      : s->memory_bytes                                             ? h->memory_bytes_built_in
                                        : h->memory_bytes_built_in / 2;
    h->disk_bytes = s->disk_bytes / 2 < free_bytes ? s->disk_bytes / 2 : free_bytes;
    return ERR_OK;
}

enum err host_read(const struct settings *s, const char *folder, struct host *ret)
{
    struct host h = {0};
    host_system(&h);
    enum err e = host_limits(s, folder, &h);
    if (e != ERR_OK)
        return e;
    h.speed = benchmark();
    *ret = h;
    for (uint32_t i = 0; i < ret->feature_count; i++)
        ret->feature_list[i] = ret->features[i];
    return ERR_OK;
}

void host_facts_of(struct host *h, struct host_facts *ret)
{
    *ret = (struct host_facts){.platform = platform_here(),
                               .os = h->os,
                               .cpu = *h->cpu ? h->cpu : NULL,
                               .client = DUGNAD_VERSION,
                               .app_class = *h->app_class ? h->app_class : NULL,
                               .cores = h->cores,
                               .memory_bytes = h->memory_bytes,
                               .disk_bytes = h->disk_bytes,
                               .feature_count = h->feature_count,
                               .speed = h->speed};
    ret->features = h->feature_list;
}
