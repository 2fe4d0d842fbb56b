/* again.h - a unit of the project computed once more on this machine: the same release, inputs and words, in
 * the volunteers' sandbox. */
#ifndef CLI_AGAIN_H
#define CLI_AGAIN_H

#include "base/json.h"
#include "client/cli/cli.h"

/* unit: what GET /v1/units/U says. out: where its outputs go; NULL: they are compared and dropped. Tells how
 * it went and whether it is what was accepted; sets c->status when it is not. */
enum err again_run(struct cli *c, const struct json *unit, const char *out) NODISCARD;

#endif
