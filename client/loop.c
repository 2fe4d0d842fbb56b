/* loop.c - see loop.h */
#include "client/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "client/control.h"
#include "client/page.h"

enum { FDS_MAX = ACT_FDS_MAX + CONTROL_FDS_MAX + PAGE_FDS_MAX + 1 };

static enum err open_signals(int *ret_fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set_errno(ERR_IO, "cannot block signals");
    signal(SIGPIPE, SIG_IGN);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? err_set_errno(ERR_IO, "cannot watch for signals") : ERR_OK;
}

static bool told_to_stop(int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) /* a terminal that closes is no reason to stop */
            continue;
        log_event(LOG_INFO, "signal", "name", info.ssi_signo == SIGTERM ? "TERM" : "INT", NULL);
        return true;
    }
    return false;
}

/* The wait, cut by the service manager's wish to hear from us. */
static int wait_ms(const struct house *h, const struct page *page, int64_t watchdog_ms,
                   int64_t *watchdog_due_ms)
{
    int wait = house_wait_ms(h), of_page = page ? page_wait_ms(page) : -1;
    int64_t now_ms = clock_mono_ms();
    wait = of_page >= 0 && of_page < wait ? of_page : wait;
    if (watchdog_ms == 0)
        return wait;
    if (now_ms >= *watchdog_due_ms) {
        notify_send("WATCHDOG=1");
        *watchdog_due_ms = now_ms + watchdog_ms;
    }
    int64_t left = *watchdog_due_ms - now_ms;
    return wait < 0 || wait > left ? (int)left : wait;
}

static enum err serve(struct house *h, struct control *control, struct page *page, int signals)
{
    int64_t watchdog_ms = notify_watchdog_ms(), watchdog_due_ms = 0;
    int fds[FDS_MAX];
    enum err e = ERR_OK;
    notify_send("READY=1");
    house_turn(h);
    bool halting = false;
    while (e == ERR_OK && !house_wants_exit(h)) {
        if (told_to_stop(signals)) {
            if (halting) /* twice: at once */
                break;
            halting = true;
            notify_send("STOPPING=1");
            house_halt(h);
            continue;
        }
        uint32_t n = 0;
        fds[n++] = signals;
        if (control)
            n += control_fds(control, fds + n);
        if (page)
            n += page_fds(page, fds + n);
        n += house_fds(h, fds + n);
        e = net_poll(house_net(h), wait_ms(h, page, watchdog_ms, &watchdog_due_ms), fds, n);
        if (control)
            control_turn(control, h, page);
        if (page)
            page_turn(page, h);
        house_turn(h);
    }
    return e;
}

enum err loop_run(struct house *h, const char *control_path)
{
    struct control *control = NULL;
    struct page *page = NULL;
    int signals = -1;
    enum err e = open_signals(&signals);
    if (e == ERR_OK && control_path)
        e = control_open(control_path, &control);
    if (e == ERR_OK && control_path)
        e = page_new(&page);
    if (e == ERR_OK && control_path) /* joined while nobody listened yet */
        (void)!house_look_for_projects(h);
    if (e == ERR_OK)
        e = serve(h, control, page, signals);
    page_free(page);
    control_close(control);
    if (signals >= 0)
        close(signals);
    return e;
}
