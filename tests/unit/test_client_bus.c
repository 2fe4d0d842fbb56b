#include "lib/t.h"

#include <string.h>

#include "base/clock.h"
#include "client/bus.h"
#include "client/tally.h"
#include "lib/temp.h"

static const struct bus_question seat = {.service = "org.freedesktop.login1",
                                         .object = "/org/freedesktop/login1/seat/seat0",
                                         .interface = "org.freedesktop.login1.Seat",
                                         .property = "IdleHint"};

/* As dbus-daemon sends them. */
static const uint8_t says_true[] = {'l', 2,   1,   1, 8, 0,   0, 0, 9,   0,   0,   0,   45, 0, 0, 0, /* */
                                    5,   1,   'u', 0, 7, 0,   0, 0, /* to our call 7 */
                                    6,   1,   's', 0, 4, 0,   0, 0, ':', '1', '.', '2', 0,  0, 0, 0,
                                    8,   1,   'g', 0, 1, 'v', 0, 0,                                  /* */
                                    7,   1,   's', 0, 0, 0,   0, 0, 0,   0,   0,   0,   0,  0, 0, 0, /* */
                                    1,   'b', 0,   0, 1, 0,   0, 0};

static void a_call_is_a_message_of_its_length(void **state)
{
    uint8_t out[BUS_MESSAGE_BYTES_MAX];
    (void)state;
    size_t len = bus_write_call(out, 7, &seat);
    assert_in_range(len, 150, 300);
    assert_int_equal(bus_message_bytes(out), len);
    assert_memory_equal(out, "l\1\2\1", 4);
    assert_int_equal(out[8], 7);
    assert_memory_equal(out + len - 9, "IdleHint", 9);
    char much[BUS_MESSAGE_BYTES_MAX + 1];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = 0;
    struct bus_question large = seat;
    large.property = much;
    assert_int_equal(bus_write_call(out, 7, &large), 0);
}

static void an_answer_is_its_number_and_others_are_not_taken_for_it(void **state)
{
    (void)state;
    int64_t value = -1;
    uint8_t message[sizeof says_true];
    memcpy(message, says_true, sizeof message);
    assert_int_equal(bus_message_bytes(message), 16 + 48 + 8);
    assert_ok(bus_read_answer(message, 72, 7, &value));
    assert_int_equal(value, 1);
    assert_err(bus_read_answer(message, 72, 8, &value), ERR_STALE);
    message[1] = 4; /* a signal */
    assert_err(bus_read_answer(message, 72, 7, &value), ERR_STALE);
    message[1] = 3;
    assert_err(bus_read_answer(message, 72, 7, &value), ERR_MISSING);
}

static void the_last_field_may_be_short(void **state)
{
    (void)state;
    static const uint8_t message[] = {'l', 2, 1, 1, 8, 0, 0,   0, 1, 0,   0, 0, 15, 0,   0, 0, 5, 1, 'u', 0,
                                      7,   0, 0, 0, 8, 1, 'g', 0, 1, 'v', 0, 0, 1,  'u', 0, 0, 9, 1, 0,   0};
    int64_t value = -1;
    assert_int_equal(bus_message_bytes(message), sizeof message);
    assert_ok(bus_read_answer(message, sizeof message, 7, &value));
    assert_int_equal(value, 265);
}

static void no_message_makes_it_look_outside(void **state)
{
    (void)state;
    int64_t value;
    for (size_t cut = 0; cut < sizeof says_true; cut++) {
        uint8_t *message = malloc(cut + 1); /* so that a sanitizer sees it */
        memcpy(message, says_true, cut);
        assert_true(bus_read_answer(message, cut, 7, &value) != ERR_OK || cut >= 72);
        free(message);
    }
    for (size_t at = 0; at < sizeof says_true; at++) {
        for (unsigned v = 0; v < 256; v++) {
            uint8_t message[sizeof says_true];
            memcpy(message, says_true, sizeof message);
            message[at] = (uint8_t)v;
            (void)!bus_read_answer(message, sizeof message, 7, &value);
            assert_true(bus_message_bytes(message) <= BUS_MESSAGE_BYTES_MAX);
        }
    }
}

static void where_there_is_no_bus_it_says_so(void **state)
{
    (void)state;
    struct bus *b = NULL;
    assert_err(bus_open("/nowhere/at/all", &b), ERR_UNREACHABLE);
    assert_err(bus_open("", &b), ERR_INVALID);
    assert_null(b);
}

/* --- what the network has moved */

static void bytes_are_kept_by_the_hour_and_over_a_restart(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct tally *h = NULL;
    const int64_t hour = 3600000, now = 500000 * hour;
    assert_ok(tally_open(temp_path(&t, "history"), &h));
    tally_add_moved(h, now - 3 * hour, 1 << 20);
    tally_add_moved(h, now, 2 << 20);
    tally_add_moved(h, now, 1000);
    assert_int_equal(tally_moved_since(h, now), (2 << 20) + 1000);
    assert_int_equal(tally_moved_since(h, now - 3 * hour), (3 << 20) + 1000);
    tally_close(h);
    assert_ok(tally_open(temp_path(&t, "history"), &h));
    assert_int_equal(tally_moved_since(h, now), (2 << 20) + 1000);
    assert_int_equal(tally_moved_since(h, now + hour), 0);
    tally_close(h);
    temp_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_a_message_of_its_length),
        cmocka_unit_test(an_answer_is_its_number_and_others_are_not_taken_for_it),
        cmocka_unit_test(the_last_field_may_be_short),
        cmocka_unit_test(no_message_makes_it_look_outside),
        cmocka_unit_test(where_there_is_no_bus_it_says_so),
        cmocka_unit_test(bytes_are_kept_by_the_hour_and_over_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
