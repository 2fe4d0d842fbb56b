/* plan_inner.h - between plan.c (what has happened) and plan_decide.c (what follows) */
#ifndef CLIENT_PLAN_PLAN_INNER_H
#define CLIENT_PLAN_PLAN_INNER_H

#include "client/plan/plan.h"

void plan_move(struct plan_job *j, enum plan_job_state state, int64_t now_ms);
/* Adds what is to be done now, moving the state as if it had begun, and when to look again. */
void plan_decide(struct plan *p, int64_t now_ms, struct plan_actions *out);

#endif
