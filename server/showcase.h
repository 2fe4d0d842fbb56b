/* showcase.h - what the public page shows of a project beside its counts: what it computes, and the teams
 * with the most credit. Gathered now and then from all releases and volunteers. */
#ifndef SERVER_SHOWCASE_H
#define SERVER_SHOWCASE_H

#include "base/json.h"
#include "base/limits.h"
#include "server/store.h"

#define SHOWN_TEAMS_MAX 20
#define SHOWN_APPS_MAX  20

struct showcase {
    struct team {
        char name[NAME_BYTES_MAX + 1]; /* "" ends the list */
        uint64_t hosts;
        double credit;
    } teams[SHOWN_TEAMS_MAX];
    struct shown_app {
        char name[NAME_BYTES_MAX + 1], title[256], summary[1024]; /* "" where the app says nothing */
        uint32_t version;
    } apps[SHOWN_APPS_MAX];
    uint32_t app_count;
};

enum err showcase_gather(struct store *s, struct showcase *ret) NODISCARD;
/* As "apps" and "teams" of an open object. */
void showcase_write(const struct showcase *w, struct json_out *o);

#endif
