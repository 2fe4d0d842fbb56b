/* replay.h - a unit's history run through the rules again: does it lead to what is said of the unit? */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "base/json.h"
#include "rules/wu.h"

struct replay_watch { /* told of each step */
    void (*step)(void *ctx, const struct wu_event *ev, const struct wu *wu, const struct wu_effects *fx);
    void *ctx;
};

/* unit: as GET /v1/units/U gives it. ERR_CORRUPT with the unit and what differs. watch may be NULL. */
enum err replay_unit(const struct json *unit, const struct replay_watch *watch, struct wu *ret) NODISCARD;

#endif
