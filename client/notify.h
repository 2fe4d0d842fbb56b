/* notify.h - the service manager's protocol (sd_notify(3)): one datagram per message, nothing when it is not
 * listening. */
#ifndef CLIENT_NOTIFY_H
#define CLIENT_NOTIFY_H

#include <stdint.h>

void notify_send(const char *message); /* "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=..." */
/* How often the manager wants to hear WATCHDOG=1, half of its patience; 0: not at all. */
int64_t notify_watchdog_ms(void);

#endif
