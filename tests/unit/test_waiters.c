/* Requests that wait for something to happen to a batch (server/waiters.h), and their end. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "lib/t.h"
#include "lib/temp.h"
#include "server/waiters.h"

enum { JOBS = 6, WAIT_S = 20, BATCH = 7 };

struct hall {
    struct temp temp;
    struct store *store;
    struct workers *workers;
    struct waiters *waiters;
    atomic_uint done;
    struct asker {
        struct worker_job job;
        struct hall *hall;
    } askers[JOBS];
};

/* As those do who wait: before each look they ask what was told of so far. */
static void look_again(struct worker_job *job, struct store *reader)
{
    struct hall *h = ((struct asker *)(void *)job)->hall;
    (void)reader;
    (void)waiters_count(h->waiters);
    atomic_fetch_add(&h->done, 1);
}

static void hall_open(struct hall *h, uint32_t queue_max)
{
    char where[TEMP_PATH_BYTES + 16];
    *h = (struct hall){.temp = temp_new()};
    snprintf(where, sizeof where, "sqlite:%s", temp_path(&h->temp, "db"));
    assert_ok(store_open(where, &h->store));
    assert_ok(workers_start(h->store, NULL, 1, queue_max, &h->workers));
    assert_ok(waiters_start(h->workers, &h->waiters));
    for (int i = 0; i < JOBS; i++) {
        h->askers[i] = (struct asker){.job.run = look_again, .hall = h};
        assert_ok(waiters_add(h->waiters, &h->askers[i].job, BATCH, 0, INT64_MAX));
    }
}

static void hall_close(struct hall *h)
{
    workers_stop(h->workers);
    waiters_free(h->waiters);
    store_close(h->store);
    temp_done(&h->temp);
}

static void *close_waiters(void *ctx)
{
    waiters_close(ctx);
    return NULL;
}

static void more_who_wait_than_the_workers_queue_takes_all_go_on_at_the_end(void **state)
{
    (void)state;
    struct hall h;
    pthread_t thread;
    struct timespec until;
    hall_open(&h, 1);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    assert_int_equal(pthread_create(&thread, NULL, close_waiters, h.waiters), 0);
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
    hall_close(&h);
    assert_int_equal(atomic_load(&h.done), JOBS);
}

static void who_waits_for_a_batch_goes_on_when_it_is_told_of(void **state)
{
    (void)state;
    struct hall h;
    hall_open(&h, JOBS);
    waiters_tell(h.waiters, BATCH + 1);
    clock_sleep_ms(20);
    assert_int_equal(atomic_load(&h.done), 0);
    waiters_tell(h.waiters, BATCH);
    for (int i = 0; i < WAIT_S * 100 && atomic_load(&h.done) < JOBS; i++)
        clock_sleep_ms(10);
    assert_int_equal(atomic_load(&h.done), JOBS);
    waiters_close(h.waiters);
    hall_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_who_wait_than_the_workers_queue_takes_all_go_on_at_the_end),
        cmocka_unit_test(who_waits_for_a_batch_goes_on_when_it_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
