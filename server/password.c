/* password.c - see password.h */
#include "server/password.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/try.h"

enum { SALT_BYTES = 16, DIFFERENT_MIN = 5 };

/* 32 MiB and about 0.2 s: as OWASP's list has it for so much memory. */
static const struct hash_cost cost = {.log2_n = 15, .r = 8, .p = 3};
static const struct hash_cost cost_max = {.log2_n = 20, .r = 16, .p = 16};
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

static enum err work(const char *password, const uint8_t salt[SALT_BYTES], const struct hash_cost *c,
                     struct digest *ret)
{
    if (pthread_mutex_trylock(&one) != 0)
        return err_set(ERR_BUSY, "somebody else logs in at this moment: try again in a second");
    enum err e = hash_password(password, strlen(password), salt, SALT_BYTES, c, ret);
    pthread_mutex_unlock(&one);
    return e;
}

enum err password_judge(const char *password)
{
    bool seen[256] = {false};
    size_t len = strlen(password), different = 0;
    for (size_t i = 0; i < len; i++) {
        different += !seen[(uint8_t)password[i]];
        seen[(uint8_t)password[i]] = true;
    }
    if (len < PASSWORD_BYTES_MIN || len > PASSWORD_BYTES_MAX)
        return err_set(ERR_INVALID,
                       "a password has from %d to %d characters: a few words are easy to remember",
                       PASSWORD_BYTES_MIN, PASSWORD_BYTES_MAX);
    if (different < DIFFERENT_MIN)
        return err_set(ERR_INVALID, "this password has only %zu different characters: choose another",
                       different);
    return ERR_OK;
}

enum err password_keep(const char *password, char ret[PASSWORD_KEPT_MAX])
{
    uint8_t salt[SALT_BYTES];
    char salt_text[2 * SALT_BYTES + 1], text[DIGEST_TEXT_BYTES];
    struct digest d;
    rand_bytes(salt, sizeof salt);
    TRY(work(password, salt, &cost, &d));
    str_hex(salt, sizeof salt, salt_text);
    digest_text(&d, text);
    snprintf(ret, PASSWORD_KEPT_MAX, "scrypt %u %u %u %s %s", cost.log2_n, cost.r, cost.p, salt_text, text);
    return ERR_OK;
}

static enum err read_kept(const char *kept, struct hash_cost *ret_cost, uint8_t salt[SALT_BYTES],
                          struct digest *ret)
{
    char salt_text[2 * SALT_BYTES + 1], text[DIGEST_TEXT_BYTES];
    if (sscanf(kept, "scrypt %2u %2u %2u %32s %64s", &ret_cost->log2_n, &ret_cost->r, &ret_cost->p, salt_text,
               text) != 5 ||
        ret_cost->log2_n < 1 || ret_cost->log2_n > cost_max.log2_n || ret_cost->r < 1 ||
        ret_cost->r > cost_max.r || ret_cost->p < 1 || ret_cost->p > cost_max.p ||
        str_unhex(salt_text, salt, SALT_BYTES) != ERR_OK || digest_parse(text, ret) != ERR_OK)
        return err_set(ERR_CORRUPT, "what is stored of a password cannot be read: set a new one");
    return ERR_OK;
}

enum err password_check(const char *password, const char *kept)
{
    struct hash_cost c = cost;
    uint8_t salt[SALT_BYTES] = {0};
    struct digest want = {{0}}, is;
    if (kept)
        TRY(read_kept(kept, &c, salt, &want));
    if (strlen(password) > PASSWORD_BYTES_MAX)
        return err_set(ERR_AUTH, "name or password is wrong");
    TRY(work(password, salt, &c, &is));
    bool same = hash_same_secret(&want, &is, sizeof is);
    return kept && same ? ERR_OK : err_set(ERR_AUTH, "name or password is wrong");
}
