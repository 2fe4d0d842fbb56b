/* judge_audit.h - audits of a provisional answer: what other hosts recomputed of it is held against it, item
 * by item, and where they differ the server recomputes that item itself. */
#ifndef SERVER_JUDGE_AUDIT_H
#define SERVER_JUDGE_AUDIT_H

#include "server/engine.h"
#include "server/judge_unit.h"

/* Fills groups and answers of a WU_PROVISIONAL unit's judgement (rules/wu.h). key: engine_config.audit_key.
 * ERR_INVALID where neither the two hosts nor the server agree on what the list is: then nobody is blamed. */
enum err judge_audits(const struct judge_unit *j, const struct store_unit *unit,
                      const struct store_batch *batch, const struct digest *key,
                      struct engine_judged *ret) NODISCARD;

#endif
