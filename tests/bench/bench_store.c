/* bench_store.c - durable turns and rows per second of each store, in one run, alternating.
 *
 * A turn is what the engine writes for so many requests that report one attempt and are given another: two
 * units, two leases, a delivery for every second one, a host's and a batch's counters. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/store_load.h"
#include "server/store_set.h"

enum { STORES_MAX = 4, SIZES = 4, ROUNDS_MAX = 15, BATCH = 1, HOSTS = 1000 };
static const uint32_t sizes[SIZES] = {1, 10, 100, 1000}; /* requests in a turn */

struct target {
    const char *where, *name;
    struct store *store;
    struct store_set *set;
    uint32_t *revs; /* of the units */
    uint32_t next;  /* unit whose turn it is */
    double turns[SIZES][ROUNDS_MAX], rows[SIZES][ROUNDS_MAX], reads[ROUNDS_MAX];
};

struct options {
    uint32_t units, rounds, ms;
    bool json_only;
};

static void need(enum err e, const char *what)
{
    if (e == ERR_OK)
        return;
    fprintf(stderr, "bench_store: %s: %s\n", what, err_text());
    exit(1);
}

static void write_now(struct target *t)
{
    need(store_begin(t->store, true), "begin");
    need(store_set_write(t->store, t->set), "write");
    need(store_commit(t->store), "commit");
}

static void prepare(struct target *t, uint32_t units)
{
    struct store_batch b = {
        .id = BATCH, .name = "bench", .app = "bench", .array = true, .array_count = units};
    struct text none = {0};
    store_set_batch_new(t->set, &b, "2 2 3 8 6 60000 0 0", "");
    store_set_batch_live(t->set, &b, true, true);
    for (uint64_t h = 1; h <= HOSTS; h++) {
        store_set_host_new(t->set, &(struct store_host){.id = h});
        store_set_host_stat(t->set, &(struct store_host_stat){.id = h});
    }
    for (uint32_t i = 0; i < units; i++) {
        store_set_unit_new(t->set, wu_id_make(BATCH, i), &none);
        if (i % 5000 == 4999)
            write_now(t);
    }
    write_now(t);
}

/* One unit's change with the sizes of real ones, whose history ends after two attempts. Returns the rows
 * told. */
static uint32_t change(struct target *t, uint32_t units, bool reported, int64_t now_ms)
{
    static const char life[70], history[] = "[\"report\",12345678,0,123456,"
                                            "\"0123456789012345678901234567890123456789012\"]\n";
    static const char used[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    uint32_t index = t->next++ % units;
    bool old = t->revs[index] >= 4;
    wu_id id = wu_id_make(BATCH, index);
    struct store_unit_change c = {.id = id,
                                  .rev = t->revs[index]++,
                                  .state = reported ? WU_DELIVERED : WU_OPEN,
                                  .ready = reported ? -1 : 1,
                                  .wake_ms = reported ? INT64_MAX : now_ms,
                                  .set_ready = true,
                                  .set_wake = true,
                                  .life = {life, sizeof life},
                                  .history = {history, old ? 0 : sizeof history - 1},
                                  .used = {used, reported && !old ? sizeof used : 0}};
    uint64_t host = 1 + index % HOSTS;
    store_set_unit(t->set, &c);
    if (!reported) {
        store_set_lease(t->set, &(struct store_lease){host, id, 0, now_ms}, false);
        return 2;
    }
    store_set_lease_end(t->set, host, id);
    if (index % 2 == 0)
        store_set_delivery(t->set, BATCH, id, now_ms);
    return index % 2 ? 2 : 3;
}

static uint32_t tell(struct target *t, uint32_t requests, uint32_t units, int64_t now_ms)
{
    static const struct project_counts project = {.reports = 1, .attempts = 1};
    uint32_t rows = 2, hosts = requests < HOSTS ? requests : HOSTS;
    for (uint32_t i = 0; i < requests * 2; i++)
        rows += change(t, units, i & 1, now_ms);
    for (uint32_t i = 0; i < hosts; i++)
        store_set_host_stat(t->set, &(struct store_host_stat){.id = 1 + (t->next + i) % HOSTS, .reports = 1});
    store_set_batch_counts(t->set, BATCH, &(struct batch_counts){.reports = requests});
    store_set_project(t->set, 1, &project, 1);
    return rows + hosts;
}

static void measure_turns(struct target *t, const struct options *o, uint32_t size, uint32_t round)
{
    uint64_t turns = 0, rows = 0;
    int64_t start = clock_mono_ms(), ms;
    do {
        rows += tell(t, sizes[size], o->units, start + (int64_t)turns);
        write_now(t);
        turns++;
    } while ((ms = clock_mono_ms() - start) < o->ms);
    t->turns[size][round] = (double)turns * 1000 / (double)ms;
    t->rows[size][round] = (double)rows * 1000 / (double)ms;
}

static enum err count_row(void *ctx, const struct store_unit_row *row)
{
    (void)row;
    ++*(uint64_t *)ctx;
    return ERR_OK;
}

/* 200 units by their ids at once, as before a turn. */
static void measure_reads(struct target *t, const struct options *o, uint32_t round)
{
    enum { IDS = 200 };
    struct arena ARENA_AUTO a = {0};
    wu_id ids[IDS];
    uint64_t rows = 0;
    uint32_t seed = 1;
    int64_t start = clock_mono_ms(), ms;
    do {
        for (uint32_t i = 0; i < IDS; i++)
            ids[i] = wu_id_make(BATCH, (seed = seed * 1664525u + 1013904223u) % o->units);
        arena_reset(&a);
        need(store_units_load(t->store, &a, ids, IDS,
                              (struct store_unit_rows){.row = count_row, .ctx = &rows}),
             "read");
    } while ((ms = clock_mono_ms() - start) < o->ms);
    t->reads[round] = (double)rows * 1000 / (double)ms;
}

static int by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, by_size);
    return values[count / 2];
}

static void print(struct target *targets, uint32_t count, const struct options *o)
{
    printf("{\"bench\":\"store\",\"units\":%u,\"rounds\":%u,\"ms\":%u,\"stores\":[", o->units, o->rounds,
           o->ms);
    if (!o->json_only)
        fprintf(stderr, "%-10s %14s %12s %12s\n", "store", "requests/turn", "turns/s", "rows/s");
    for (uint32_t i = 0; i < count; i++) {
        struct target *t = &targets[i];
        printf("%s{\"store\":\"%s\",\"turns\":[", i ? "," : "", t->name);
        for (uint32_t s = 0; s < SIZES; s++) {
            double turns = median(t->turns[s], o->rounds), rows = median(t->rows[s], o->rounds);
            printf("%s{\"requests\":%u,\"turns_per_s\":%.0f,\"rows_per_s\":%.0f}", s ? "," : "", sizes[s],
                   turns, rows);
            if (!o->json_only)
                fprintf(stderr, "%-10s %14u %12.0f %12.0f\n", t->name, sizes[s], turns, rows);
        }
        double reads = median(t->reads, o->rounds);
        printf("],\"units_read_per_s\":%.0f}", reads);
        if (!o->json_only)
            fprintf(stderr, "%-10s %14s %12s %12.0f\n", t->name, "reading", "", reads);
    }
    printf("]}\n");
}

static void open_target(struct target *t, const char *where, const struct options *o)
{
    t->where = where;
    t->name = where[0] == 's' ? "sqlite" : where[0] == 'p' ? "postgres" : "memory";
    need(store_open(where, &t->store), t->name);
    t->set = store_set_new();
    t->revs = calloc(o->units, sizeof *t->revs);
    if (!t->set || !t->revs)
        need(err_set(ERR_NOMEM, "no memory"), t->name);
    prepare(t, o->units);
}

static void usage(void)
{
    fprintf(stderr, "usage: bench_store [--units N] [--rounds N] [--ms N] [--json] WHERE...\n"
                    "WHERE: sqlite:PATH, postgres://..., memory: - empty ones. See store.sh.\n");
    exit(2);
}

int main(int argc, char **argv)
{
    static struct target targets[STORES_MAX];
    struct options o = {.units = 20000, .rounds = 5, .ms = 1000};
    uint32_t count = 0;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--json") == 0) {
            o.json_only = true;
            continue;
        }
        if (at + 1 >= argc)
            usage();
        uint32_t *to = strcmp(argv[at], "--units") == 0    ? &o.units
                       : strcmp(argv[at], "--rounds") == 0 ? &o.rounds
                       : strcmp(argv[at], "--ms") == 0     ? &o.ms
                                                           : NULL;
        if (!to)
            usage();
        *to = (uint32_t)strtoul(argv[++at], NULL, 10);
    }
    if (at >= argc || argc - at > STORES_MAX || o.rounds < 1 || o.rounds > ROUNDS_MAX || o.units < 4000)
        usage();
    for (; at < argc; at++)
        open_target(&targets[count++], argv[at], &o);
    for (uint32_t round = 0; round < o.rounds; round++)
        for (uint32_t size = 0; size <= SIZES; size++)
            for (uint32_t i = 0; i < count; i++) {
                if (size < SIZES)
                    measure_turns(&targets[i], &o, size, round);
                else
                    measure_reads(&targets[i], &o, round);
            }
    print(targets, count, &o);
    for (uint32_t i = 0; i < count; i++) {
        store_close(targets[i].store);
        store_set_free(targets[i].set);
        free(targets[i].revs);
    }
    return 0;
}
