#include "rules/wu_codec.h"

#include <assert.h>
#include <string.h>

#define HAS_HOST   0x08u
#define HAS_ENDED  0x10u
#define HAS_GROUP  0x20u
#define HAS_ANSWER 0x40u
#define IS_TRUTH   0x80u /* its answer is the canonical one's, which is stored once */
#define STATE_MASK 0x07u

#define CANONICAL_MASK 0x1fu
#define HAS_NEEDED     0x20u
#define HAS_AUDITS     0x40u
#define IS_OVERDUE     0x80u
#define HAS_REST       0x80u /* of the byte that counts the attempts */

_Static_assert(ATTEMPT_STATES <= STATE_MASK + 1, "attempt states fit in three bits");
_Static_assert(ATTEMPTS_MAX <= 16, "audits fit in a mask of two bytes, an attempt and none in five bits");
_Static_assert(WU_STATES <= 8 && WU_FAILURES <= 16, "unit states and failures fit in their bits");

struct pen {
    uint8_t *bytes;
    size_t len;
};

static void put_u8(struct pen *p, uint8_t b)
{
    assert(p->len < WU_BYTES_MAX);
    p->bytes[p->len++] = b;
}

static void put_varint(struct pen *p, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        put_u8(p, (uint8_t)(n | 0x80));
    put_u8(p, (uint8_t)n);
}

static void put_digest(struct pen *p, const struct digest *d)
{
    assert(p->len + DIGEST_BYTES <= WU_BYTES_MAX);
    memcpy(p->bytes + p->len, d->bytes, DIGEST_BYTES);
    p->len += DIGEST_BYTES;
}

/* Differences wrap, so that any two times have one. */
static void put_span(struct pen *p, int64_t from, int64_t to)
{
    uint64_t d = (uint64_t)to - (uint64_t)from;
    put_varint(p, d << 1 ^ (0 - (d >> 63)));
}

static uint8_t flags_of(const struct wu *wu, uint32_t i)
{
    const struct attempt *a = &wu->attempts[i];
    bool truth = wu->canonical >= 0 && (int32_t)i != wu->canonical &&
                 digest_eq(&a->answer, &wu->attempts[wu->canonical].answer);
    uint8_t f = (uint8_t)a->state;
    f |= a->host_id ? HAS_HOST : 0;
    f |= a->ended_ms ? HAS_ENDED : 0;
    f |= a->group ? HAS_GROUP : 0;
    f |= truth ? IS_TRUTH : digest_is_zero(&a->answer) ? 0 : HAS_ANSWER;
    return f;
}

static void put_attempt(struct pen *p, const struct wu *wu, uint32_t i, int64_t *sent_ms)
{
    const struct attempt *a = &wu->attempts[i];
    uint8_t flags = flags_of(wu, i);
    put_u8(p, flags);
    if (a->state == ATTEMPT_ERRORED)
        put_u8(p, (uint8_t)a->error);
    if (flags & HAS_HOST) {
        put_varint(p, a->host_id);
        put_varint(p, a->owner_id);
        put_span(p, *sent_ms, a->sent_ms);
        put_span(p, (int64_t)((uint64_t)a->sent_ms + (uint64_t)wu->rules.lease_ms), a->deadline_ms);
        *sent_ms = a->sent_ms;
    }
    if (flags & HAS_ENDED)
        put_span(p, *sent_ms, a->ended_ms);
    if (flags & HAS_GROUP)
        put_varint(p, a->group);
    if (flags & HAS_ANSWER)
        put_digest(p, &a->answer);
}

static uint32_t audits_of(const struct wu *wu)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        mask |= (wu->attempts[i].audit ? 1u : 0u) << i;
    return mask;
}

static void put_head(struct pen *p, const struct wu *wu)
{
    uint32_t audits = audits_of(wu), head = (uint32_t)(wu->canonical + 1);
    bool audited = audits | wu->audit_count | wu->audit_first;
    head |= wu->needed != wu->rules.quorum ? HAS_NEEDED : 0;
    head |= audited ? HAS_AUDITS : 0;
    head |= wu->overdue ? IS_OVERDUE : 0;
    put_u8(p, (uint8_t)head);
    if (head & HAS_NEEDED)
        put_u8(p, (uint8_t)wu->needed);
    if (!audited)
        return;
    put_u8(p, (uint8_t)audits);
    put_u8(p, (uint8_t)(audits >> 8));
    put_u8(p, (uint8_t)wu->audit_count);
    put_u8(p, (uint8_t)wu->audit_first);
}

size_t wu_encode(const struct wu *wu, uint8_t ret_bytes[WU_BYTES_MAX])
{
    struct pen p = {.bytes = ret_bytes};
    int64_t sent_ms = 0;
    put_u8(&p, WU_CODEC_VERSION);
    put_u8(&p, (uint8_t)((uint32_t)wu->state | (wu->purged ? 8u : 0u) | (uint32_t)wu->failure << 4));
    put_u8(&p, (uint8_t)(wu->attempt_count | (wu->rest_until_ms ? HAS_REST : 0)));
    put_head(&p, wu);
    if (wu->rest_until_ms)
        put_varint(&p, (uint64_t)wu->rest_until_ms);
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        put_attempt(&p, wu, i, &sent_ms);
    return p.len;
}

/* A reader that has failed stays failed and gives zeros, so that only the end need be checked. */
struct eye {
    const uint8_t *bytes;
    size_t len, at;
    bool failed;
};

static uint8_t take_u8(struct eye *e)
{
    if (e->failed || e->at == e->len) {
        e->failed = true;
        return 0;
    }
    return e->bytes[e->at++];
}

static uint64_t take_varint(struct eye *e)
{
    uint64_t n = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        uint8_t b = take_u8(e);
        if ((shift == 63 && b > 1) || (shift > 0 && b == 0)) /* too large, or longer than need be */
            break;
        n |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return n;
    }
    e->failed = true;
    return 0;
}

static void take_digest(struct eye *e, struct digest *d)
{
    if (e->failed || e->len - e->at < DIGEST_BYTES) {
        e->failed = true;
        return;
    }
    memcpy(d->bytes, e->bytes + e->at, DIGEST_BYTES);
    e->at += DIGEST_BYTES;
}

static int64_t take_span(struct eye *e, int64_t from)
{
    uint64_t z = take_varint(e);
    return (int64_t)((uint64_t)from + (z >> 1 ^ (0 - (z & 1))));
}

static void take_attempt(struct eye *e, struct wu *wu, uint32_t i, int64_t *sent_ms)
{
    struct attempt *a = &wu->attempts[i];
    uint8_t flags = take_u8(e);
    a->state = (enum attempt_state)(flags & STATE_MASK);
    if (a->state == ATTEMPT_ERRORED)
        a->error = (enum attempt_error)take_u8(e);
    if (flags & HAS_HOST) {
        a->host_id = take_varint(e);
        a->owner_id = take_varint(e);
        a->sent_ms = take_span(e, *sent_ms);
        a->deadline_ms = take_span(e, (int64_t)((uint64_t)a->sent_ms + (uint64_t)wu->rules.lease_ms));
        *sent_ms = a->sent_ms;
    }
    if (flags & HAS_ENDED)
        a->ended_ms = take_span(e, *sent_ms);
    if (flags & HAS_GROUP)
        a->group = (uint32_t)take_varint(e);
    if (flags & HAS_ANSWER)
        take_digest(e, &a->answer);
}

static void take_head(struct eye *e, struct wu *wu)
{
    uint8_t head = take_u8(e);
    wu->canonical = (int32_t)(head & CANONICAL_MASK) - 1;
    wu->overdue = head & IS_OVERDUE;
    wu->needed = head & HAS_NEEDED ? take_u8(e) : wu->rules.quorum;
    if (!(head & HAS_AUDITS))
        return;
    uint32_t audits = take_u8(e);
    audits |= (uint32_t)take_u8(e) << 8;
    wu->audit_count = take_u8(e);
    wu->audit_first = take_u8(e);
    for (uint32_t i = 0; i < ATTEMPTS_MAX; i++)
        wu->attempts[i].audit = audits >> i & 1;
}

static void take_life(struct eye *e, struct wu *wu)
{
    bool truth[ATTEMPTS_MAX] = {false};
    int64_t sent_ms = 0;
    if (take_u8(e) != WU_CODEC_VERSION)
        e->failed = true;
    uint8_t head = take_u8(e);
    wu->state = (enum wu_state)(head & 7);
    wu->purged = head & 8;
    wu->failure = (enum wu_failure)(head >> 4);
    uint8_t count = take_u8(e);
    wu->attempt_count = count & ~HAS_REST;
    take_head(e, wu);
    if (count & HAS_REST)
        wu->rest_until_ms = (int64_t)take_varint(e);
    if ((count & HAS_REST) && wu->rest_until_ms <= 0)
        e->failed = true;
    if (wu->attempt_count > ATTEMPTS_MAX || wu->canonical >= (int32_t)wu->attempt_count)
        e->failed = true;
    for (uint32_t i = 0; i < wu->attempt_count && !e->failed; i++) {
        truth[i] = e->at < e->len && e->bytes[e->at] & IS_TRUTH;
        take_attempt(e, wu, i, &sent_ms);
    }
    for (uint32_t i = 0; i < wu->attempt_count && !e->failed; i++) {
        if (truth[i] && wu->canonical < 0)
            e->failed = true;
        else if (truth[i])
            wu->attempts[i].answer = wu->attempts[wu->canonical].answer;
    }
}

enum err wu_decode(const uint8_t *bytes, size_t len, struct wu *wu)
{
    struct eye e = {.bytes = bytes, .len = len};
    struct wu life = {.id = wu->id, .rules = wu->rules};
    uint8_t again[WU_BYTES_MAX];
    take_life(&e, &life);
    if (!e.failed)
        life.wake_at_ms = wu_next_deadline(&life);
    if (e.failed || e.at != len || !wu_invariant(&life))
        return err_set(ERR_CORRUPT, "the stored life of unit %u.%u is damaged at byte %zu of %zu",
                       wu_id_batch(wu->id), wu_id_index(wu->id), e.at, len);
    if (wu_encode(&life, again) != len || memcmp(again, bytes, len) != 0)
        return err_set(ERR_CORRUPT, "the stored life of unit %u.%u is not in its one encoding",
                       wu_id_batch(wu->id), wu_id_index(wu->id));
    *wu = life;
    return ERR_OK;
}
