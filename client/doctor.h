/* doctor.h - what works on this computer, and what to do about the rest */
#ifndef CLIENT_DOCTOR_H
#define CLIENT_DOCTOR_H

#include <stdbool.h>

#include "base/err.h"
#include "client/host.h"

/* On standard output; what locks programs in is tried out. */
enum err doctor_print(struct host *h, bool json) NODISCARD;

#endif
