#include "rules/match.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static bool too_slow(const struct match_need *need, const struct match_offer *offer)
{
    if (need->cost_seconds <= 0 || offer->speed <= 0 || need->lease_ms <= 0)
        return false;
    double run_ms = need->cost_seconds * 1000 / offer->speed;
    return run_ms + (double)(offer->queue_ms > 0 ? offer->queue_ms : 0) > (double)need->lease_ms;
}

enum match_reason match_unit(const struct match_need *need, const struct match_offer *offer, bool barred)
{
    uint64_t features = offer->features & ~MATCH_FEATURE_UNKNOWN;
    if (!(need->platforms & offer->platforms))
        return MATCH_PLATFORM;
    if (need->features & ~features)
        return MATCH_FEATURES;
    if (need->hr_class && need->hr_class != offer->hr_class)
        return MATCH_CLASS;
    if (barred)
        return MATCH_OWNER;
    if (need->memory_bytes > offer->memory_bytes)
        return MATCH_MEMORY;
    if (need->disk_bytes > offer->disk_bytes)
        return MATCH_DISK;
    if ((need->cores ? need->cores : 1) > offer->cores)
        return MATCH_CORES;
    return too_slow(need, offer) ? MATCH_TIME : MATCH_FITS;
}

const char *match_reason_word(enum match_reason r)
{
#define WORD(name, word, text) word,
    static const char *const words[] = {MATCH_REASON_LIST(WORD)};
#undef WORD
    assert(r < MATCH_REASONS);
    return words[r];
}

const char *match_reason_text(enum match_reason r)
{
#define TEXT(name, word, text) text,
    static const char *const texts[] = {MATCH_REASON_LIST(TEXT)};
#undef TEXT
    assert(r < MATCH_REASONS);
    return texts[r];
}

#define FEATURE(name) name,
static const char *const features[] = {MATCH_FEATURE_LIST(FEATURE)};
#undef FEATURE
#define FEATURES (sizeof features / sizeof *features)

uint64_t match_feature(const char *name)
{
    for (size_t i = 0; i < FEATURES; i++)
        if (strcmp(features[i], name) == 0)
            return 1ull << i;
    return MATCH_FEATURE_UNKNOWN;
}

const char *match_feature_name(uint32_t bit)
{
    return bit < FEATURES ? features[bit] : NULL;
}

static void keep_least(uint64_t *least, uint64_t bytes)
{
    if (*least == 0 || bytes < *least)
        *least = bytes;
}

void match_count(struct match_tally *tally, const struct match_need *need, enum match_reason reason)
{
    tally->count[reason]++;
    if (reason == MATCH_MEMORY)
        keep_least(&tally->memory_bytes_least, need->memory_bytes);
    if (reason == MATCH_DISK)
        keep_least(&tally->disk_bytes_least, need->disk_bytes);
}

enum match_reason match_main_reason(const struct match_tally *tally)
{
    uint32_t main_reason = MATCH_FITS;
    for (uint32_t r = MATCH_FITS + 1; r < MATCH_REASONS; r++)
        if (tally->count[r] > 0 &&
            (main_reason == MATCH_FITS || tally->count[r] >= tally->count[main_reason]))
            main_reason = r;
    return (enum match_reason)main_reason;
}

static size_t add(char *text, size_t room, size_t at, const char *more)
{
    size_t len = strlen(more);
    if (at + 1 >= room)
        return at;
    if (len > room - 1 - at)
        len = room - 1 - at;
    memcpy(text + at, more, len);
    text[at + len] = 0;
    return at + len;
}

static size_t explain_one(const struct match_tally *tally, enum match_reason r, char *text, size_t room,
                          size_t at)
{
    char number[32], size[32];
    uint64_t least = r == MATCH_MEMORY ? tally->memory_bytes_least
                     : r == MATCH_DISK ? tally->disk_bytes_least
                                       : 0;
    at = add(text, room, at, at > 0 ? "; units that " : "units that ");
    at = add(text, room, at, match_reason_text(r));
    if (least > 0) {
        str_from_bytes(least, size, sizeof size);
        at = add(text, room, at, " (the smallest ");
        at = add(text, room, at, size);
        at = add(text, room, at, ")");
    }
    snprintf(number, sizeof number, ": %llu", (unsigned long long)tally->count[r]);
    return add(text, room, at, number);
}

void match_explain(const struct match_tally *tally, char *ret_text, size_t room)
{
    size_t at = 0;
    assert(room > 0);
    ret_text[0] = 0;
    for (uint32_t r = MATCH_FITS + 1; r < MATCH_REASONS; r++)
        if (tally->count[r] > 0)
            at = explain_one(tally, (enum match_reason)r, ret_text, room, at);
    if (at == 0)
        add(ret_text, room, 0,
            tally->count[MATCH_FITS] > 0 ? "there is work that suits this host"
                                         : "there is no work at the moment");
}
