/* sense_bus.c - see sense_bus.h */
#include "client/sense_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "client/bus.h"

enum { AGAIN_MS = 60000, PATH_ROOM = 108 };

struct line {
    char path[PATH_ROOM]; /* "": there is no such bus */
    struct bus *bus;
    int64_t not_before_ms;
};

struct service {
    int64_t not_before_ms; /* nobody was there: not asked at every look */
};

struct sense_bus {
    struct line system, session;
    struct service seat, desktop, network;
};

/* "unix:path=/run/user/1000/bus,guid=..." and "unix:abstract=..."; the first address that is one of these. */
static void take_address(const char *address, char ret[PATH_ROOM])
{
    static const char path[] = "unix:path=", abstract[] = "unix:abstract=";
    const char *at = address ? strstr(address, path) : NULL,
               *hidden = address ? strstr(address, abstract) : NULL;
    ret[0] = 0;
    if (at)
        snprintf(ret, PATH_ROOM, "%.*s", (int)strcspn(at + sizeof path - 1, ",;"), at + sizeof path - 1);
    else if (hidden)
        snprintf(ret, PATH_ROOM, "@%.*s", (int)strcspn(hidden + sizeof abstract - 1, ",;"),
                 hidden + sizeof abstract - 1);
}

struct sense_bus *sense_bus_new(void)
{
    struct sense_bus *s = calloc(1, sizeof *s);
    const char *system = getenv("DBUS_SYSTEM_BUS_ADDRESS"), *runtime = getenv("XDG_RUNTIME_DIR");
    if (!s)
        return NULL;
    take_address(system ? system : "unix:path=/run/dbus/system_bus_socket", s->system.path);
    take_address(getenv("DBUS_SESSION_BUS_ADDRESS"), s->session.path);
    if (!s->session.path[0] && runtime && *runtime)
        snprintf(s->session.path, PATH_ROOM, "%.90s/bus", runtime);
    return s;
}

void sense_bus_free(struct sense_bus *s)
{
    if (!s)
        return;
    bus_close(s->system.bus);
    bus_close(s->session.bus);
    free(s);
}

static bool ask(struct line *l, struct service *v, int64_t now_ms, const struct bus_question *q, int64_t *ret)
{
    if (!l->path[0] || now_ms < l->not_before_ms || now_ms < v->not_before_ms)
        return false;
    if (!l->bus && bus_open(l->path, &l->bus) != ERR_OK) {
        l->not_before_ms = now_ms + AGAIN_MS;
        return false;
    }
    enum err e = bus_ask(l->bus, q, ret);
    if (e == ERR_MISSING) {
        v->not_before_ms = now_ms + AGAIN_MS;
    } else if (e != ERR_OK) {
        bus_close(l->bus);
        l->bus = NULL;
        l->not_before_ms = now_ms + AGAIN_MS;
    }
    return e == ERR_OK;
}

int64_t sense_bus_input_ms_ago(struct sense_bus *s, int64_t now_ms)
{
    static const struct bus_question desktop = {.service = "org.gnome.Mutter.IdleMonitor",
                                                .object = "/org/gnome/Mutter/IdleMonitor/Core",
                                                .interface = "org.gnome.Mutter.IdleMonitor",
                                                .member = "GetIdletime"};
    struct bus_question seat = {.service = "org.freedesktop.login1",
                                .object = "/org/freedesktop/login1/seat/seat0",
                                .interface = "org.freedesktop.login1.Seat",
                                .property = "IdleHint"};
    int64_t value, since_us;
    if (!s)
        return -1;
    if (ask(&s->session, &s->desktop, now_ms, &desktop,
            &value)) /* to the millisecond: logind need not be asked */
        return value < 0 ? 0 : value;
    if (!ask(&s->system, &s->seat, now_ms, &seat, &value))
        return -1;
    if (value == 0)
        return 0; /* somebody is logged in there and not away, or a film runs */
    seat.property = "IdleSinceHint";
    if (!ask(&s->system, &s->seat, now_ms, &seat, &since_us) || since_us <= 0)
        return -1; /* nobody is logged in */
    int64_t ago_ms = clock_wall_ms() - since_us / 1000;
    return ago_ms < 0 ? 0 : ago_ms;
}

bool sense_bus_metered(struct sense_bus *s, int64_t now_ms)
{
    static const struct bus_question network = {.service = "org.freedesktop.NetworkManager",
                                                .object = "/org/freedesktop/NetworkManager",
                                                .interface = "org.freedesktop.NetworkManager",
                                                .property = "Metered"};
    int64_t value;
    return s && ask(&s->system, &s->network, now_ms, &network, &value) && (value == 1 || value == 3);
}
