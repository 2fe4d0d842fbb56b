#include "server/rate.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "rules/kin.h"

enum { BUCKET_BITS = 14, BUCKETS = 1 << BUCKET_BITS };

struct rate {
    double per_ms, burst;
    uint64_t salt; /* nobody can choose whose bucket he shares */
    pthread_mutex_t lock;
    struct bucket {
        uint64_t who;
        int64_t at_ms;
        double left;
    } buckets[BUCKETS];
};

enum err rate_new(double per_s, double burst, struct rate **ret_rate)
{
    struct rate *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(ERR_NOMEM, "no memory for rate limits");
    r->per_ms = per_s / 1000;
    r->burst = burst;
    r->salt = rand_u64() | 1;
    pthread_mutex_init(&r->lock, NULL);
    *ret_rate = r;
    return ERR_OK;
}

void rate_free(struct rate *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

enum err rate_take(struct rate *r, uint64_t who, int64_t now_ms, int64_t *ret_wait_ms)
{
    if (r->per_ms <= 0)
        return ERR_OK;
    pthread_mutex_lock(&r->lock);
    struct bucket *b = &r->buckets[(who * r->salt) >> (64 - BUCKET_BITS)];
    if (b->who != who)
        *b = (struct bucket){.who = who, .at_ms = now_ms, .left = r->burst};
    if (now_ms > b->at_ms) {
        b->left += (double)(now_ms - b->at_ms) * r->per_ms;
        b->at_ms = now_ms;
    }
    if (b->left > r->burst)
        b->left = r->burst;
    bool good = b->left >= 1;
    if (good)
        b->left -= 1;
    else
        *ret_wait_ms = (int64_t)((1 - b->left) / r->per_ms) + 1;
    pthread_mutex_unlock(&r->lock);
    return good ? ERR_OK : err_set(ERR_RATE, "too many requests: wait before the next one");
}

/* 4 or 16 bytes; IPv4 in IPv6 is IPv4. */
static size_t parse(const char *address, unsigned char ret[16])
{
    if (inet_pton(AF_INET, address, ret) == 1)
        return 4;
    if (inet_pton(AF_INET6, address, ret) != 1)
        return 0;
    if (memcmp(ret, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) != 0)
        return 16;
    memmove(ret, ret + 12, 4);
    memset(ret + 4, 0, 12);
    return 4;
}

uint64_t rate_address(const char *address)
{
    unsigned char bytes[16] = {0};
    uint64_t n = 0;
    (void)parse(address, bytes);
    memcpy(&n, bytes, sizeof n);
    return n;
}

uint64_t rate_network(const char *address)
{
    unsigned char bytes[16] = {0};
    size_t len = parse(address, bytes);
    return kin_network(bytes, len);
}
