/* loop.h - the daemon: waits for the network, the runs, the owner and signals, and lets act.c do the rest */
#ifndef CLIENT_LOOP_H
#define CLIENT_LOOP_H

#include <stdbool.h>

#include "base/err.h"
#include "client/house.h"

/* Runs until SIGTERM, SIGINT, a finish or a leave. control_path: NULL for no socket. */
enum err loop_run(struct house *h, const char *control_path) NODISCARD;

#endif
