/* store_version.h - how far versions of apps are rolled out, and how they do (rules/rollout.h decides).
 * Reading is as in store.h, writing as in store_set.h. A version without a row is for everybody. */
#ifndef SERVER_STORE_VERSION_H
#define SERVER_STORE_VERSION_H

#include "server/store_set.h"

enum { STORE_BAD_HOST_NONE = 0, STORE_BAD_HOST_SEVERAL = -1 };

struct store_version {
    const char *app;
    uint32_t version;
    uint32_t share_ppm; /* of the hosts, millionths */
    bool halted;
    uint32_t base;   /* the version that it is held against; 0: none */
    const char *why; /* it was halted */
    uint64_t user_id;
    int64_t changed_ms;           /* share or halt */
    int64_t from_ended, from_bad; /* the counts when its share was set last */
    int64_t bad_host;             /* whose attempt ended badly first since then, or STORE_BAD_HOST_* */
    int64_t ended, bad; /* attempts, and those of them that ended in an error of the app or a wrong answer */
};

/* Of one app, the newest STORE_PAGE_MAX, newest first. */
enum err store_version_list(struct store *s, struct arena *a, const char *app, struct store_version **ret,
                            uint32_t *ret_count) NODISCARD;

/* One that was stopped by itself and is so still, for people: "say 2: why"; "" when there is none. */
enum err store_version_stopped(struct store *s, char *ret_text, size_t room) NODISCARD;

void store_set_version(struct store_set *set, const struct store_version *v); /* all but ended and bad */
void store_set_version_add(struct store_set *set, const char *app, uint32_t version, int64_t ended,
                           int64_t bad);

#endif
