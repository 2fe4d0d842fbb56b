/* schedule.h - "Mon-Fri 18:00-08:00, Sat-Sun 00:00-24:00" as windows of policy.h */
#ifndef CLIENT_SCHEDULE_H
#define CLIENT_SCHEDULE_H

#include "base/err.h"
#include "client/plan/policy.h"

/* Entries DAY HH:MM-HH:MM or DAY-DAY HH:MM-HH:MM, separated by commas; a time that ends before it begins ends
 * on the next day. "" is no window: at any time. ERR_INVALID names what is wrong. */
enum err schedule_parse(const char *text, struct policy_window ret[POLICY_WINDOWS_MAX],
                        uint32_t *ret_count) NODISCARD;

#endif
