/* Connections that wait to be let in (server/http_lobby.h). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/t.h"
#include "server/http_lobby.h"

enum { SILENT_MS = 50, WAIT_MS = 20000, FDS = 1024 };

struct house {
    struct http_door *door;
    struct http_lobby *lobby;
};

static void house_open(struct house *h)
{
    assert_ok(http_door_open("127.0.0.1", 0, 0, &h->door));
    struct http_lobby_config config = {
        .door = h->door, .inside_max = 10, .silent_ms = SILENT_MS, .threads = 1};
    assert_ok(http_lobby_new(&config, &h->lobby));
    http_lobby_open(h->lobby);
}

static void house_close(struct house *h)
{
    http_lobby_free(h->lobby);
    http_door_close(h->door);
}

static int come(const struct house *h)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_door_port(h->door)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void look_until(const struct house *h, uint32_t guests)
{
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS;
         http_lobby_guests(h->lobby) != guests && clock_mono_ms() < end_ms; clock_sleep_ms(5))
        http_lobby_look(h->lobby);
    assert_int_equal(http_lobby_guests(h->lobby), guests);
}

/* The lobby's end of the connection whose other end is `mine`, once more: as a process has it that was just
 * copied from this one, for a moment. */
static int copy_of_other_end(int mine)
{
    struct sockaddr_in me, peer;
    socklen_t len = sizeof me, peer_len;
    assert_int_equal(getsockname(mine, (struct sockaddr *)&me, &len), 0);
    for (int fd = 0; fd < FDS; fd++) {
        peer_len = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && peer.sin_port == me.sin_port)
            return fcntl(fd, F_DUPFD_CLOEXEC, FDS);
    }
    return -1;
}

static void who_said_nothing_and_was_sent_away_is_not_heard_though_a_copy_of_his_socket_is_open(void **state)
{
    (void)state;
    struct house h;
    house_open(&h);
    int mine = come(&h);
    look_until(&h, 1);
    int copy = copy_of_other_end(mine);
    assert_true(copy >= 0);
    look_until(&h, 0);
    assert_int_equal(write(mine, "x", 1), 1);
    for (int i = 0; i < 20; i++) {
        http_lobby_look(h.lobby);
        clock_sleep_ms(5);
    }
    assert_int_equal(http_lobby_guests(h.lobby), 0);
    assert_int_equal(http_door_inside(h.door), 0);
    close(copy);
    close(mine);
    house_close(&h);
}

static void who_speaks_is_taken_and_who_does_not_waits(void **state)
{
    (void)state;
    struct house h;
    struct http_guest guest;
    house_open(&h);
    int mine = come(&h);
    look_until(&h, 1);
    assert_false(http_lobby_take(h.lobby, -1, &guest));
    assert_int_equal(write(mine, "x", 1), 1);
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(5)) {
        http_lobby_look(h.lobby);
        if (http_lobby_take(h.lobby, -1, &guest))
            break;
    }
    assert_int_equal(http_lobby_guests(h.lobby), 0);
    close(guest.fd);
    http_door_left(h.door, &guest.from.any);
    assert_int_equal(http_door_inside(h.door), 0);
    close(mine);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_said_nothing_and_was_sent_away_is_not_heard_though_a_copy_of_his_socket_is_open),
        cmocka_unit_test(who_speaks_is_taken_and_who_does_not_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
