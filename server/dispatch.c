/* dispatch.c - which attempts a host is given. Batches in the order of their priority and age; within a batch
 * what holds half a quorum already, then the order of the batch. No search goes further than LOOK_MAX units
 * of a batch. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/merkle.h"
#include "server/audit_draw.h"
#include "server/engine_in.h"
#include "server/unit_row.h"

enum {
    LOOK_MAX = 512,    /* units that were never sent */
    LOOK_STARTED = 64, /* units that were, from the first one on, and as many from later ones */
    LOOK_DRAWN = 8,    /* times as many, where somebody else is drawn, which is soon seen */
    LEFT_MAX = 16,     /* batches of which a host takes no spare, remembered as looked at by it */
    BARRED_MS = 1000   /* who has looked at all of these in vain looks at no other for so long */
};
#define UNKNOWN_COST_SECONDS 10.0 /* of a unit nothing is known of yet */
/* So much work for each core is no hoard; where nothing is known, so many units. */
#define SHARE_SECONDS 10.0
#define SHARE_UNITS   8.0

/* --- windows --- */

static bool window_make(struct window *w)
{
    if (!w->ids)
        w->ids = calloc(WINDOW_MAX, sizeof *w->ids);
    return w->ids != NULL;
}

static void window_trim(struct window *w)
{
    while (w->used > 0 && w->ids[w->head % WINDOW_MAX] == 0) {
        w->head++;
        w->used--;
    }
}

bool window_push(struct window *w, wu_id id)
{
    if (!window_make(w) || w->used == WINDOW_MAX)
        return false;
    w->ids[(w->head + w->used++) % WINDOW_MAX] = id;
    w->live++;
    return true;
}

void window_clear(struct window *w)
{
    w->head = w->used = w->live = 0;
}

void window_offer(struct window *w, wu_id id)
{
    if (!w->all && id > w->scanned)
        return; /* the store will tell */
    if (window_push(w, id))
        return;
    w->all = false;
    if (id <= w->scanned || w->scanned == 0)
        w->scanned = id - 1;
}

static wu_id window_at(const struct window *w, uint32_t i)
{
    return w->ids[(w->head + i) % WINDOW_MAX];
}

static void window_take(struct window *w, uint32_t i)
{
    w->ids[(w->head + i) % WINDOW_MAX] = 0;
    w->live--;
}

/* Closes the holes, so that a window that was taken from in the middle does not look full. */
static void window_pack(struct window *w)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->used; i++) {
        wu_id id = window_at(w, i);
        if (id != 0)
            w->ids[(w->head + kept++) % WINDOW_MAX] = id;
    }
    w->used = kept;
}

struct refill {
    struct engine *e;
    struct window *w;
    uint32_t seen;
};

static enum err refill_row(void *ctx, const struct store_unit_row *row)
{
    struct refill *r = ctx;
    struct unit_mem *u;
    r->seen++;
    r->w->scanned = row->id;
    TRY(unit_keep(r->e, row, &u));
    (void)window_push(r->w, row->id);
    return ERR_OK;
}

enum err window_refill(struct engine *e, struct batch_mem *b, bool started)
{
    struct window *w = &b->windows[started];
    struct refill r = {.e = e, .w = w};
    window_trim(w);
    if (w->used > WINDOW_MAX / 2)
        window_pack(w);
    if (!window_make(w))
        return err_set(ERR_NOMEM, "no memory for a batch's queue");
    uint32_t room = WINDOW_MAX - w->used;
    uint32_t limit = room < WINDOW_REFILL ? room : WINDOW_REFILL;
    if (limit == 0)
        return ERR_OK;
    TRY(engine_flush(e));
    TRY(store_ready_scan(e->store, b->b.id, started, w->scanned, limit,
                         (struct store_unit_rows){.row = refill_row, .ctx = &r}));
    w->all = r.seen < limit;
    e->stats.refills++;
    return ERR_OK;
}

/* --- one host's search --- */

struct search {
    struct engine *e;
    struct engine_request *r;
    struct host_mem *h;
    struct match_offer offer;
    struct match_tally tally;
    double seconds; /* given so far */
    struct check check;
    struct batch_mem *rollout; /* work of it waits, but its version does not go to this host */
    bool waits;                /* on probation somewhere, with much that waits to be confirmed */
    double hoard;              /* the same as parts of what is no hoard for a core */
    uint32_t room;             /* attempts it may still be given */
    uint32_t share;            /* given beyond this, it would only keep them from others */
};

static bool is_cost_known(const struct batch_mem *b)
{
    return b->b.cost > 0 || b->b.counts.reports > 0;
}

static double cost_seconds(const struct batch_mem *b, const struct host_mem *h)
{
    double speed = h->h.speed > 0 ? h->h.speed : 1;
    if (b->b.cost > 0)
        return b->b.cost / speed;
    if (b->b.counts.reports > 0)
        return (double)b->b.counts.wall_ms / (double)b->b.counts.reports / 1000.0;
    return UNKNOWN_COST_SECONDS;
}

/* The maker of a host's processor and how wide it computes: what an answer's last bits hang on. Of a list
 * that is closed: if hosts could name their class, liars would name one where they are among themselves. */
static const char *cpu_family(const struct host_mem *h)
{
    static const char *const makers[] = {"intel", "amd"};
    static const char *const widths[] = {"avx512f", "avx2", "avx", "sse4_2"};
    static const char *const families[] = {"intel-avx512f", "intel-avx2",  "intel-avx", "intel-sse4_2",
                                           "intel",         "amd-avx512f", "amd-avx2",  "amd-avx",
                                           "amd-sse4_2",    "amd",         "avx512f",   "avx2",
                                           "avx",           "sse4_2",      "other"};
    size_t maker = 0, width = 0;
    while (maker < 2 && strncmp(h->h.hr_class, makers[maker], strlen(makers[maker])) != 0)
        maker++;
    while (width < 4 && !(features_of(h->h.features) & features_of(widths[width])))
        width++;
    return families[maker * 5 + width];
}

/* Which machines give the same answer to the bit, as a number; 0: any. A platform is an operating system and
 * an architecture, and a release is of one platform. */
static uint32_t class_of(const struct batch_mem *b, const struct host_mem *h)
{
    char text[160];
    const char *kind = b->b.hr_kind;
    if (!kind || !*kind || strcmp(kind, "none") == 0)
        return 0;
    snprintf(text, sizeof text, "%s %s", h->h.platform, strcmp(kind, "cpu") == 0 ? cpu_family(h) : "");
    struct digest d = hash_bytes(text, strlen(text));
    uint32_t n =
        (uint32_t)d.bytes[0] << 24 | (uint32_t)d.bytes[1] << 16 | (uint32_t)d.bytes[2] << 8 | d.bytes[3];
    return (n & 0x7fffffff) | 1;
}

/* Nothing of it is out nor answered: it may go to another class of hosts. */
static bool is_unbound(const struct wu *wu)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        enum attempt_state s = wu->attempts[i].state;
        if (s == ATTEMPT_LEASED || s == ATTEMPT_REPORTED || s == ATTEMPT_VALID)
            return false;
    }
    return true;
}

static enum err path_of(struct arena *a, const struct chunk_mem *c, uint32_t index, struct engine_given *g)
{
    struct digest path[MERKLE_PATH_MAX];
    size_t count = merkle_levels_path(c->levels, c->count, index, path);
    struct digest *copy = arena_array(a, count + 1, sizeof *copy);
    if (!copy)
        return ERR_NOMEM;
    memcpy(copy, path, count * sizeof *path);
    g->path = copy;
    g->path_count = (uint32_t)count;
    return ERR_OK;
}

static bool is_of(const struct engine_chunk *k, uint32_t batch, uint32_t number, const struct text *envelope)
{
    return k->batch == batch && k->number == number && k->envelope.len == envelope->len &&
           memcmp(k->envelope.data, envelope->data, envelope->len) == 0;
}

/* A chunk that grew since its statement went into this reply has a new one, and other paths. */
static enum err give_chunk(struct engine *e, struct engine_request *r, struct batch_mem *b,
                           struct engine_given *g)
{
    struct engine_work *w = &r->u.work;
    struct chunk_mem *c;
    uint32_t number = g->index / CHUNK_UNITS_MAX, i = 0;
    TRY(chunk_find(e, b, g->index, &c));
    TRY(path_of(r->arena, c, g->index % CHUNK_UNITS_MAX, g));
    while (i < w->chunk_count && !is_of(&w->chunks[i], b->b.id, number, &c->envelope))
        i++;
    if (i == w->chunk_count) {
        struct engine_chunk *chunk = &w->chunks[w->chunk_count++];
        *chunk = (struct engine_chunk){.batch = b->b.id, .number = number};
        TRY(engine_bytes(r->arena, &c->envelope, &chunk->envelope));
    }
    g->chunk = i;
    return ERR_OK;
}

static enum err give_spec(struct engine_request *r, const struct batch_mem *b, const struct unit_mem *u,
                          struct engine_given *g)
{
    struct buf BUF_AUTO spec = {0};
    struct unit_array array = {.is_array = b->b.array, .first = b->b.array_first, .step = b->b.array_step};
    TRY(unit_spec(u->wu.id, &array, &u->spec, &spec));
    struct text text = {.data = spec.data, .len = (uint32_t)spec.len};
    return engine_bytes(r->arena, &text, &g->spec);
}

static enum err give_audit(struct engine *e, struct engine_request *r, const struct batch_mem *b,
                           const struct unit_mem *u, uint32_t attempt, struct engine_given *g)
{
    char text[AUDIT_TEXT_BYTES];
    if (!u->wu.attempts[attempt].audit || u->wu.canonical < 0)
        return ERR_OK;
    struct audit a = audit_draw_items(&e->config.audit_key, &u->wu, attempt, b->b.trust.audit_ppm);
    audit_text(&a, text);
    return engine_text(r->arena, text, &g->audit);
}

enum err dispatch_give(struct engine *e, struct engine_request *r, struct host_mem *h, struct batch_mem *b,
                       struct unit_mem *u, uint32_t attempt)
{
    struct engine_given *g;
    TRY(given_add(r, &g));
    *g = (struct engine_given){.unit = u->wu.id,
                               .attempt = attempt,
                               .deadline_ms = u->wu.attempts[attempt].deadline_ms,
                               .index = wu_id_index(u->wu.id)};
    for (uint32_t i = 0; i < b->b.release_count; i++) {
        if (strcmp(b->b.releases[i].platform, h->h.platform) != 0)
            continue;
        g->release = b->b.releases[i].release;
        g->bundle = b->b.releases[i].bundle;
    }
    TRY(give_spec(r, b, u, g));
    TRY(give_audit(e, r, b, u, attempt, g));
    return give_chunk(e, r, b, g);
}

static bool is_full(const struct search *s)
{
    const struct engine_want *want = s->r->u.work.want;
    uint32_t n = s->r->u.work.given_count;
    return s->room == 0 || n >= want->units_max || (n >= s->share && s->hoard >= want->cores) ||
           (n >= want->cores && s->seconds >= want->seconds);
}

static enum err lease(struct search *s, struct batch_mem *b, struct unit_mem *u, uint32_t class)
{
    enum err step;
    struct wu_event ev = {.kind = WU_EV_LEASE,
                          .now_ms = s->e->now_ms,
                          .attempt = (uint32_t)wu_first_unsent(&u->wu),
                          .host_id = s->h->h.id,
                          .owner_id = s->h->h.volunteer_id};
    u->hr = class;
    TRY(unit_apply(s->e, u, &ev, NULL, &step));
    if (step != ERR_OK)
        return err_prefix(ERR_CORRUPT, "leasing a unit");
    TRY(trust_leased(s->e, b, u, s->h));
    s->e->stats.leases++;
    s->room--;
    s->check.leave.begins -= s->check.leave.begins > 0;
    s->seconds += cost_seconds(b, s->h);
    s->hoard += is_cost_known(b) ? cost_seconds(b, s->h) / SHARE_SECONDS : 1 / SHARE_UNITS;
    return dispatch_give(s->e, s->r, s->h, b, u, ev.attempt);
}

static bool is_not_drawn(const struct search *s, const struct batch_mem *b, const struct unit_mem *u)
{
    return check_is_not_drawn(&s->check, b, &u->wu, (uint32_t)wu_first_unsent(&u->wu),
                              check_waited_ms(&s->check, u));
}

/* From this place on, until `most` were looked at in vain. */
static enum err search_part(struct search *s, struct batch_mem *b, bool started, uint32_t from, uint32_t most)
{
    struct window *w = &b->windows[started];
    uint32_t class = class_of(b, s->h);
    for (uint32_t i = from, missed = 0; i < w->used && missed < most * LOOK_DRAWN && !is_full(s); i++) {
        if (!started && s->check.leave.begins == 0)
            break;
        struct unit_mem *u;
        bool barred;
        wu_id id = window_at(w, i);
        if (id == 0)
            continue;
        TRY(unit_find_own(s->e, id, &u));
        if (!u || unit_ready(&u->wu) != (int)started) {
            window_take(w, i);
            continue;
        }
        if (started && is_not_drawn(s, b, u)) {
            missed++;
            continue;
        }
        struct match_need need = b->need;
        need.hr_class = is_unbound(&u->wu) ? 0 : u->hr;
        s->offer.hr_class = class;
        TRY(check_is_kin(&s->check, b, &u->wu, &barred));
        enum match_reason why = match_unit(&need, &s->offer, barred);
        if (why != MATCH_FITS) {
            match_count(&s->tally, &need, why);
            missed += LOOK_DRAWN;
            continue;
        }
        if (unit_ready(&u->wu) < 1 || wu_unsent(&u->wu) == 1)
            window_take(w, i);
        TRY(lease(s, b, u, class));
    }
    return ERR_OK;
}

/* Of the units that were sent before, those that wait longest first. Many may be barred for many hosts, those
 * that joined with a crowd for example: so few are looked at, and each time some that come later, in their
 * turn. */
static enum err search_window(struct search *s, struct batch_mem *b, bool started)
{
    struct window *w = &b->windows[started];
    if (!s->e->view.alone)
        TRY(window_share(s->e, b, started));
    else if (w->live < WINDOW_LOW && !w->all)
        TRY(window_refill(s->e, b, started));
    window_trim(w);
    if (!started)
        return search_part(s, b, started, 0, LOOK_MAX);
    if (s->h->calls.barred_batch == b->b.id && s->e->now_ms >= s->h->calls.barred_ms &&
        s->e->now_ms - s->h->calls.barred_ms < BARRED_MS)
        return ERR_OK;
    TRY(search_part(s, b, started, 0, LOOK_STARTED));
    if (w->used <= LOOK_STARTED || is_full(s))
        return ERR_OK;
    uint32_t given = s->r->u.work.given_count;
    if (w->look_from < LOOK_STARTED || w->look_from >= w->used)
        w->look_from = LOOK_STARTED;
    TRY(search_part(s, b, started, w->look_from, LOOK_STARTED));
    if (s->r->u.work.given_count == given) {
        w->look_from += LOOK_STARTED;
        s->h->calls.barred_batch = b->b.id;
        s->h->calls.barred_ms = s->e->now_ms;
    }
    return ERR_OK;
}

/* A unit that was leased once more but still has an attempt to send stays where it is; one that was not sent
 * before has moved to the other window with its lease. */

static enum err search_batch(struct search *s, struct batch_mem *b)
{
    if (b->b.paused || b->b.cancelled)
        check_offered(s->e, b, false);
    if (b->b.paused || b->b.cancelled || b->b.counts.unsent <= 0)
        return ERR_OK;
    enum match_reason why = match_unit(&b->need, &s->offer, false);
    if (why != MATCH_FITS) {
        match_count(&s->tally, &b->need, why);
        return ERR_OK;
    }
    bool reached;
    TRY(version_allows(s->e, b, s->h, &reached));
    if (!reached) {
        s->rollout = b;
        return ERR_OK;
    }
    check_offered(s->e, b, true);
    struct trust_leave *leave = &s->check.leave;
    TRY(trust_allows(s->e, b, s->h, leave));
    TRY(search_window(s, b, true));
    if (leave->trusted && !is_full(s))
        check_looked(&s->check, b);
    s->waits |= leave->begins == 0;
    return leave->begins > 0 ? search_window(s, b, false) : ERR_OK;
}

/* A host with idle cores helps with what the others hold up. */
static enum err search_tail(struct search *s)
{
    struct engine *e = s->e;
    uint32_t cores = s->h->h.cores;
    if (s->h->leases_out >= cores)
        return ERR_OK;
    if (s->room > cores - s->h->leases_out)
        s->room = cores - s->h->leases_out;
    s->check.tail = true;
    TRY(tail_look(e));
    TRY(tail_read(e));
    struct batch_mem *left[LEFT_MAX];
    uint32_t left_count = 0;
    for (uint32_t i = 0; i < e->tail_count && !is_full(s); i++) {
        struct unit_mem *u;
        struct batch_mem *b;
        enum err step;
        TRY(unit_find(e, e->tail[i].id, &u));
        TRY(batch_find(e, wu_id_batch(e->tail[i].id), &b));
        bool barred, reached;
        int64_t wait_ms = u && b ? tail_wait_ms(e, b, u) : 0;
        if (wait_ms == 0)
            continue;
        TRY(version_allows(e, b, s->h, &reached));
        if (!reached)
            continue;
        TRY(trust_allows(e, b, s->h, &s->check.leave));
        TRY(check_is_kin(&s->check, b, &u->wu, &barred));
        struct match_need need = b->need;
        uint32_t class = s->offer.hr_class = class_of(b, s->h);
        need.hr_class = is_unbound(&u->wu) ? 0 : u->hr;
        int64_t waited_ms = check_waited_ms(&s->check, u);
        if (waited_ms < wait_ms)
            wait_ms = waited_ms;
        bool drawn = !check_is_not_drawn(&s->check, b, &u->wu, u->wu.attempt_count, wait_ms);
        if (match_unit(&need, &s->offer, barred || !drawn) != MATCH_FITS) {
            if (s->check.leave.trusted && left_count < LEFT_MAX &&
                (left_count == 0 || left[left_count - 1] != b))
                left[left_count++] = b;
            continue;
        }
        struct wu_event spare = {.kind = WU_EV_SPARE, .now_ms = e->now_ms};
        TRY(unit_apply(e, u, &spare, NULL, &step));
        if (step == ERR_OK)
            TRY(lease(s, b, u, class));
    }
    for (uint32_t i = 0; i < left_count && !is_full(s); i++)
        check_looked(&s->check, left[i]);
    return ERR_OK;
}

static enum engine_reason reason_of(enum match_reason why)
{
    switch (why) {
    case MATCH_PLATFORM:
        return ENGINE_REASON_NO_APP;
    case MATCH_MEMORY:
        return ENGINE_REASON_MEMORY;
    case MATCH_DISK:
        return ENGINE_REASON_DISK;
    case MATCH_FEATURES:
        return ENGINE_REASON_FEATURES;
    case MATCH_OWNER:
        return ENGINE_REASON_SAME_OWNER;
    case MATCH_CLASS:
        return ENGINE_REASON_HR_CLASS;
    case MATCH_FITS:
    case MATCH_CORES:
    case MATCH_TIME:
    case MATCH_REASONS:
        break;
    }
    return ENGINE_REASON_NO_WORK;
}

static enum err give_reason(struct engine_request *r, enum engine_reason reason, const char *text)
{
    r->u.work.reason = reason;
    return engine_text(r->arena, text, &r->u.work.reason_text);
}

static enum err explain(struct search *s)
{
    char text[1024], main[900];
    enum match_reason why = match_main_reason(&s->tally);
    if (why == MATCH_FITS && s->waits)
        return give_reason(s->r, ENGINE_REASON_QUOTA,
                           "this host is new: its first answers are being confirmed by others");
    if (why == MATCH_FITS && s->rollout) {
        TRY(version_explain(s->e, s->rollout, text, sizeof text));
        return give_reason(s->r, ENGINE_REASON_NO_WORK, text);
    }
    if (why == MATCH_FITS)
        return give_reason(s->r, ENGINE_REASON_NO_WORK, "there is no work at the moment");
    match_explain(&s->tally, main, sizeof main);
    snprintf(text, sizeof text, "nothing of what waits suits this host: %s", main);
    return give_reason(s->r, reason_of(why), text);
}

enum err dispatch(struct engine *e, struct engine_request *r, struct host_mem *h)
{
    struct engine_work *w = &r->u.work;
    char text[320];
    struct search s = {.e = e, .r = r, .h = h, .check = {.e = e, .h = h}};
    if (h->h.banned) {
        snprintf(text, sizeof text, "this host is banned: %s",
                 *h->h.ban_reason ? h->h.ban_reason : "ask the project why");
        return give_reason(r, ENGINE_REASON_BANNED, text);
    }
    TRY(version_refuses(e, &h->h, text, sizeof text));
    if (*text)
        return give_reason(r, ENGINE_REASON_VERSION, text);
    TRY(host_leases(e, h));
    s.room = h->leases_out < h->h.allowed ? h->h.allowed - h->leases_out : 0;
    if (s.room == 0) {
        snprintf(text, sizeof text,
                 "this host has %u attempts, as many as it may have now: report some first", h->leases_out);
        return give_reason(r, ENGINE_REASON_QUOTA, text);
    }
    uint64_t features = features_of(h->h.features);
    s.offer = (struct match_offer){.platforms = platform_bit(e, h->h.platform),
                                   .features = features,
                                   .memory_bytes = h->h.memory_bytes,
                                   .disk_bytes = h->h.disk_bytes,
                                   .cores = h->h.cores,
                                   .speed = h->h.speed};
    s.share = tail_share(e, h->h.cores);
    check_asked(e);
    crowds_asked(e, h);
    uint32_t before = w->given_count;
    for (uint32_t i = 0; i < e->active_count && !is_full(&s); i++)
        TRY(search_batch(&s, e->active[i]));
    if (!is_full(&s))
        TRY(search_tail(&s));
    w->unfilled = !is_full(&s);
    if (w->given_count > before || !w->unfilled)
        return ERR_OK;
    w->nothing = w->given_count == 0;
    return explain(&s);
}
