/* rollout.h - which hosts get a new version of an app, and when it is stopped; which clients are too old.
 * PURE.
 *
 * A host is in or out of a version's share by a number made of the host, the app and the version: the same at
 * every call, on every server and after every restart; a larger share keeps all that were in; and who is
 * first for one version is not first for the next. */
#ifndef RULES_ROLLOUT_H
#define RULES_ROLLOUT_H

#include <stdbool.h>
#include <stdint.h>

#define ROLLOUT_ALL_PPM 1000000u

/* app: a number made of the app's name and version. */
bool rollout_reaches(uint64_t host_id, uint64_t app, uint32_t share_ppm);

struct rollout_count {
    int64_t ended, bad; /* attempts; of them in an error of the app or with a wrong answer */
};

#define ROLLOUT_BAD_LEAST   3  /* fewer say nothing */
#define ROLLOUT_BASE_LEAST  20 /* attempts of the old version, or it is taken to be as bad as: */
#define ROLLOUT_BASE_SHARE  0.05
#define ROLLOUT_SHARE_LEAST 0.01 /* a version that is no worse than this is never stopped */

/* Is the new version worse than the old one, beyond what chance does? Each count is of what ended since the
 * share was set last (of the old one: all). The worst that the old one may well be is held against the best
 * that the new one may well be (Wilson's interval, one chance in a hundred on each side). several: bad ends
 * came from more than one host; one PC alone says something of the PC. */
bool rollout_is_worse(const struct rollout_count *is, const struct rollout_count *base, bool several);

/* Versions as "1.10.2", number by number; what follows a number ("-rc1") and parts that are missing count as
 * 0. < 0: a is older than b. Anything that does not begin with a number is older than all. */
int version_compare(const char *a, const char *b);

#endif
