/* api_version.h - versions of an app as replies show them. */
#ifndef SERVER_API_VERSION_H
#define SERVER_API_VERSION_H

#include "server/api.h"

/* The versions of an app that have a row, read once for many releases of it. Zeroed is valid. */
struct app_versions {
    const char *app;
    struct store_version *list;
    uint32_t count;
};
/* NULL where there is none: it is for everybody. */
enum err app_version_find(struct call *c, struct app_versions *of, const char *app, uint32_t version,
                          const struct store_version **ret) NODISCARD;
/* As fields of an open object; v may be NULL. */
void app_version_write(struct json_out *o, const struct store_version *v);
/* The newest older version that is in use and for everybody, which a new one is held against; 0: none.
 * *ret_known: is there such a version at all? */
enum err app_version_base(struct call *c, const char *app, uint32_t version, uint32_t *ret_base,
                          bool *ret_known) NODISCARD;
bool app_version_is_out(const struct store_version *v); /* to everybody, and not halted */

#endif
