/* launch.h - the words and the environment that a unit's program is started with: the same at every host, and
 * at the server where it recomputes an item. */
#ifndef WIRE_LAUNCH_H
#define WIRE_LAUNCH_H

#include "base/arena.h"
#include "wire/order.h"
#include "wire/release.h"

/* argv and "NAME=value" of the environment, each ending with NULL, in the arena. audit: the text of an audit
 * (items.h), or NULL. */
enum err launch_words(const struct manifest *m, const struct order *o, const struct spec *spec,
                      const char *audit, struct arena *a, const char ***ret_argv,
                      const char ***ret_env) NODISCARD;

#endif
