/* profile.h - the projects this person is logged in to: one private file, ~/.config/dugnad/login.json
 * ($XDG_CONFIG_HOME and $DUGNAD_CONFIG are obeyed), mode 0600, replaced atomically. */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "wire/token.h"
#include "wire/trust.h"

#define PROFILES_MAX 64

struct profile {
    char name[NAME_BYTES_MAX + 1]; /* what --profile takes */
    char url[URL_BYTES_MAX];
    char project[NAME_BYTES_MAX + 1]; /* the project's name, from its root statement */
    struct digest project_key;
    char token[TOKEN_TEXT_BYTES];
    /* What was proved last: an older one is refused, so that nobody can bring back a key that was withdrawn.
     */
    uint32_t root_version;
    int64_t server_issued_ms;
    uint32_t pin_count;
    char pins[SERVER_PINS_MAX][PIN_TEXT_BYTES];
};

struct profiles {
    char current[NAME_BYTES_MAX + 1]; /* used without --profile */
    uint32_t count;
    struct profile list[PROFILES_MAX];
};

enum err profiles_path(char *ret, size_t room) NODISCARD;
/* No file gives none. ERR_DENIED when others may read the file: it holds tokens. */
enum err profiles_load(const char *path, struct profiles *ret) NODISCARD;
enum err profiles_save(const char *path, const struct profiles *p) NODISCARD;
/* NULL when there is none of that name; name NULL: the current one. */
struct profile *profiles_find(struct profiles *p, const char *name);
enum err profiles_put(struct profiles *p,
                      const struct profile *profile) NODISCARD; /* replaces its namesake */
void profiles_drop(struct profiles *p, const char *name);

#endif
