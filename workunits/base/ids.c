/* ids.c - see ids.h */
#include "base/ids.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"

void wu_id_text(wu_id id, char ret_text[ID_TEXT_BYTES])
{
    char *at = str_from_u64(wu_id_batch(id), ret_text);
    *at++ = '.';
    str_from_u64(wu_id_index(id), at);
}

void attempt_id_text(wu_id id, uint32_t attempt, char ret_text[ID_TEXT_BYTES])
{
    wu_id_text(id, ret_text);
    char *at = ret_text + strlen(ret_text);
    *at++ = '.';
    str_from_u64(attempt, at);
}

/* One decimal number without leading zeros; NULL when there is none or it is over max. */
static const char *take(const char *at, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (*at < '0' || *at > '9' || (at[0] == '0' && at[1] >= '0' && at[1] <= '9'))
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        v = v * 10 + (uint64_t)(*at - '0');
        if (v > max)
            return NULL;
    }
    *ret = v;
    return at;
}

static const char *take_wu(const char *text, wu_id *ret_id)
{
    uint64_t batch, index;
    const char *at = take(text, INT32_MAX, &batch);
    if (!at || batch == 0 || *at != '.')
        return NULL;
    at = take(at + 1, UINT32_MAX, &index);
    if (at)
        *ret_id = wu_id_make((uint32_t)batch, (uint32_t)index);
    return at;
}

enum err wu_id_parse(const char *text, wu_id *ret_id)
{
    wu_id id;
    const char *end = text ? take_wu(text, &id) : NULL;
    if (!end || *end != 0)
        return err_set(ERR_INVALID, "'%.60s' is not a work unit: write BATCH.INDEX, for example 7.12",
                       text ? text : "");
    *ret_id = id;
    return ERR_OK;
}

enum err attempt_id_parse(const char *text, wu_id *ret_id, uint32_t *ret_attempt)
{
    wu_id id;
    uint64_t attempt;
    const char *at = text ? take_wu(text, &id) : NULL;
    if (at)
        at = *at == '.' ? take(at + 1, ATTEMPTS_MAX - 1, &attempt) : NULL;
    if (!at || *at != 0)
        return err_set(ERR_INVALID,
                       "'%.60s' is not an attempt: write BATCH.INDEX.ATTEMPT, for example 7.12.0",
                       text ? text : "");
    *ret_id = id;
    *ret_attempt = (uint32_t)attempt;
    return ERR_OK;
}
