#include "server/store_set.h"

#include <stdlib.h>
#include <string.h>

#include "server/store_in.h"
#include "server/store_load.h"

/* What is written, in the order of the flush. Rows that several servers fight for come last, so that their
 * locks are held shortly: counters, then the streams, the outbox and the audit log. */
enum kind {
    UNIT_NEW,
    UNIT_PLAIN, /* + 1: ready and failed too, + 2: wake too */
    UNIT_SET_READY,
    UNIT_SET_WAKE,
    UNIT_SET_BOTH,
    CHUNK_PUT,
    LEASE_PUT,
    LEASE_END,
    NOTE_PUT,
    SMALL_NEW,
    BATCH_NEW,
    BATCH_CHANGE,
    BATCH_LIVE_NEW,
    BATCH_LIVE_SET,
    HOST_PUT,
    VOLUNTEER_NEW,
    ACCOUNT_NEW,
    ACCOUNT_PUT,
    TOKEN_PUT,
    INVITATION_PUT,
    RELEASE_NEW,
    RELEASE_RETIRE,
    OUTBOX_END,
    OUTBOX_AGAIN,
    REPLAY_NEW,
    REPLAY_END,
    SETTING_PUT,
    FAILURE_ADD,
    HOST_STAT_ADD,
    VOLUNTEER_ADD,
    ACCOUNT_ADD,
    BATCH_COUNT_ADD,
    PROJECT_ADD,
    DELIVERY_NEW, /* numbered at the flush */
    OUTBOX_NEW,   /* numbered at the flush */
    AUDIT_NEW,    /* numbered and chained at the flush */
    KINDS
};

struct rows {
    struct db_value *values;
    uint32_t count, room; /* in rows */
};

struct store_set {
    bool failed; /* out of memory */
    struct rows rows[KINDS];
    uint32_t changed[KINDS];                 /* by the last flush */
    struct digest *chains;                   /* of the audit entries of a flush */
    struct db_value nowhere[DB_COLUMNS_MAX]; /* where rows go when there is no memory for them */
};

#define UNIT_ALWAYS                                                                                          \
    {UNIT_ID, DB_KEY}, {UNIT_REV, DB_GUARD}, {UNIT_REV, DB_SET}, {UNIT_STATE, DB_SET}, {UNIT_HR, DB_SET},    \
        {UNIT_LIFE, DB_SET}, {UNIT_HISTORY, DB_APPEND},                                                      \
    {                                                                                                        \
        UNIT_USED, DB_APPEND                                                                                 \
    }
enum { UNIT_ALWAYS_COUNT = 8 };
#define SET_HOST(N, n, k)       {HOST_##N, HOST_##N == HOST_ID ? DB_KEY : DB_SET},
#define SET_BATCH(N, n, k)      {BATCH_##N, BATCH_##N == BATCH_ID ? DB_KEY : DB_SET},
#define SET_VOLUNTEER(N, n, k)  {VOLUNTEER_##N, VOLUNTEER_##N == VOLUNTEER_ID ? DB_KEY : DB_SET},
#define SET_ACCOUNT(N, n, k)    {ACCOUNT_##N, ACCOUNT_##N == ACCOUNT_ID ? DB_KEY : DB_SET},
#define SET_TOKEN(N, n, k)      {TOKEN_##N, TOKEN_##N == TOKEN_ID ? DB_KEY : DB_SET},
#define SET_INVITATION(N, n, k) {INVITATION_##N, INVITATION_##N == INVITATION_ID ? DB_KEY : DB_SET},
#define SET_RELEASE(N, n, k)    {RELEASE_##N, RELEASE_##N == RELEASE_ID ? DB_KEY : DB_SET},
#define SET_NOTE(N, n, k)       {NOTE_##N, NOTE_##N <= NOTE_ATTEMPT ? DB_KEY : DB_SET},
#define SET_OUTBOX(N, n, k)     {OUTBOX_##N, OUTBOX_##N == OUTBOX_ID ? DB_KEY : DB_SET},
#define SET_REPLAY(N, n, k)     {REPLAY_##N, REPLAY_##N <= REPLAY_NAME ? DB_KEY : DB_SET},
#define SET_AUDIT(N, n, k)      {AUDIT_##N, AUDIT_##N == AUDIT_SEQ ? DB_KEY : DB_SET},
#define ADD_BATCH_COUNT(name)   {BATCH_LIVE_COUNT_##name, DB_ADD},
#define ADD_PROJECT_COUNT(name) {PROJECT_COUNT_##name, DB_ADD},
#define NEW_BATCH_COUNT(name)   {BATCH_LIVE_COUNT_##name, DB_SET},
#define ONE(name)               +1
enum { BATCH_COUNTERS = 0 BATCH_COUNT_LIST(ONE), PROJECT_COUNTERS = 0 PROJECT_COUNT_LIST(ONE) };

static const struct db_write writes[KINDS] = {
    [UNIT_NEW] = {&schema_unit,
                  DB_INSERT,
                  5,
                  {{UNIT_ID, DB_KEY},
                   {UNIT_REV, DB_SET},
                   {UNIT_STATE, DB_SET},
                   {UNIT_READY, DB_SET},
                   {UNIT_SPEC, DB_SET}}},
    [UNIT_PLAIN] = {&schema_unit, DB_UPDATE, UNIT_ALWAYS_COUNT, {UNIT_ALWAYS}},
    [UNIT_SET_READY] = {&schema_unit,
                        DB_UPDATE,
                        UNIT_ALWAYS_COUNT + 2,
                        {UNIT_ALWAYS, {UNIT_READY, DB_SET}, {UNIT_FAILED, DB_SET}}},
    [UNIT_SET_WAKE] = {&schema_unit, DB_UPDATE, UNIT_ALWAYS_COUNT + 1, {UNIT_ALWAYS, {UNIT_WAKE, DB_SET}}},
    [UNIT_SET_BOTH] = {&schema_unit,
                       DB_UPDATE,
                       UNIT_ALWAYS_COUNT + 3,
                       {UNIT_ALWAYS, {UNIT_READY, DB_SET}, {UNIT_FAILED, DB_SET}, {UNIT_WAKE, DB_SET}}},
    [CHUNK_PUT] = {&schema_chunk,
                   DB_PUT,
                   3,
                   {{CHUNK_BATCH, DB_KEY}, {CHUNK_NUMBER, DB_KEY}, {CHUNK_ENVELOPE, DB_SET}}},
    [LEASE_PUT] =
        {&schema_lease,
         DB_PUT,
         4,
         {{LEASE_HOST, DB_KEY}, {LEASE_UNIT, DB_KEY}, {LEASE_ATTEMPT, DB_SET}, {LEASE_DEADLINE, DB_SET}}},
    [LEASE_END] = {&schema_lease, DB_DELETE, 2, {{LEASE_HOST, DB_KEY}, {LEASE_UNIT, DB_KEY}}},
    [NOTE_PUT] = {&schema_note, DB_PUT, NOTE_COLUMN_COUNT, {NOTE_COLUMNS(SET_NOTE)}},
    [SMALL_NEW] = {&schema_small,
                   DB_INSERT_NEW,
                   3,
                   {{SMALL_BATCH, DB_KEY}, {SMALL_DIGEST, DB_KEY}, {SMALL_BYTES, DB_SET}}},
    [BATCH_NEW] = {&schema_batch, DB_INSERT, BATCH_COLUMN_COUNT, {BATCH_COLUMNS(SET_BATCH)}},
    [BATCH_CHANGE] =
        {&schema_batch,
         DB_UPDATE,
         4,
         {{BATCH_ID, DB_KEY}, {BATCH_PRIORITY, DB_SET}, {BATCH_NAME, DB_SET}, {BATCH_LABELS, DB_SET}}},
    [BATCH_LIVE_NEW] = {&schema_batch_live,
                        DB_INSERT,
                        7 + BATCH_COUNTERS,
                        {{BATCH_LIVE_ID, DB_KEY},
                         {BATCH_LIVE_REV, DB_SET},
                         {BATCH_LIVE_ACTIVE, DB_SET},
                         {BATCH_LIVE_FLAGS, DB_SET},
                         {BATCH_LIVE_JOB, DB_SET},
                         {BATCH_LIVE_JOB_NEXT, DB_SET},
                         {BATCH_LIVE_FINISHED, DB_SET},
                         BATCH_COUNT_LIST(NEW_BATCH_COUNT)}},
    [BATCH_LIVE_SET] = {&schema_batch_live,
                        DB_UPDATE,
                        8,
                        {{BATCH_LIVE_ID, DB_KEY},
                         {BATCH_LIVE_REV, DB_GUARD},
                         {BATCH_LIVE_REV, DB_SET},
                         {BATCH_LIVE_ACTIVE, DB_SET},
                         {BATCH_LIVE_FLAGS, DB_SET},
                         {BATCH_LIVE_JOB, DB_SET},
                         {BATCH_LIVE_JOB_NEXT, DB_SET},
                         {BATCH_LIVE_FINISHED, DB_SET}}},
    [HOST_PUT] = {&schema_host, DB_PUT, HOST_COLUMN_COUNT, {HOST_COLUMNS(SET_HOST)}},
    [VOLUNTEER_NEW] = {&schema_volunteer,
                       DB_INSERT,
                       VOLUNTEER_COLUMN_COUNT,
                       {VOLUNTEER_COLUMNS(SET_VOLUNTEER)}},
    [ACCOUNT_NEW] = {&schema_account, DB_INSERT, ACCOUNT_COLUMN_COUNT, {ACCOUNT_COLUMNS(SET_ACCOUNT)}},
    [ACCOUNT_PUT] = {&schema_account,
                     DB_UPDATE,
                     7,
                     {{ACCOUNT_ID, DB_KEY},
                      {ACCOUNT_NAME, DB_SET},
                      {ACCOUNT_MAIL, DB_SET},
                      {ACCOUNT_ROLE, DB_SET},
                      {ACCOUNT_DISABLED, DB_SET},
                      {ACCOUNT_BLOB_BYTES_MAX, DB_SET},
                      {ACCOUNT_UNITS_MAX, DB_SET}}},
    [TOKEN_PUT] = {&schema_token, DB_PUT, TOKEN_COLUMN_COUNT, {TOKEN_COLUMNS(SET_TOKEN)}},
    [INVITATION_PUT] = {&schema_invitation,
                        DB_PUT,
                        INVITATION_COLUMN_COUNT,
                        {INVITATION_COLUMNS(SET_INVITATION)}},
    [RELEASE_NEW] = {&schema_release, DB_INSERT, RELEASE_COLUMN_COUNT, {RELEASE_COLUMNS(SET_RELEASE)}},
    [RELEASE_RETIRE] = {&schema_release, DB_UPDATE, 2, {{RELEASE_ID, DB_KEY}, {RELEASE_RETIRED, DB_SET}}},
    [OUTBOX_END] = {&schema_outbox, DB_DELETE, 1, {{OUTBOX_ID, DB_KEY}}},
    [OUTBOX_AGAIN] = {&schema_outbox,
                      DB_UPDATE,
                      3,
                      {{OUTBOX_ID, DB_KEY}, {OUTBOX_TRIES, DB_ADD}, {OUTBOX_DUE, DB_SET}}},
    [REPLAY_NEW] = {&schema_replay, DB_INSERT, REPLAY_COLUMN_COUNT, {REPLAY_COLUMNS(SET_REPLAY)}},
    [REPLAY_END] = {&schema_replay, DB_DELETE, 2, {{REPLAY_OWNER, DB_KEY}, {REPLAY_NAME, DB_KEY}}},
    [SETTING_PUT] = {&schema_setting, DB_PUT, 2, {{SETTING_NAME, DB_KEY}, {SETTING_VALUE, DB_SET}}},
    [FAILURE_ADD] = {&schema_failure,
                     DB_PUT,
                     FAILURE_COLUMN_COUNT,
                     {{FAILURE_BATCH, DB_KEY},
                      {FAILURE_GROUP, DB_KEY},
                      {FAILURE_ERROR, DB_SET},
                      {FAILURE_EXIT_CODE, DB_SET},
                      {FAILURE_SIGNAL, DB_SET},
                      {FAILURE_PATTERN, DB_SET},
                      {FAILURE_TIMES, DB_ADD},
                      {FAILURE_UNIT, DB_SET},
                      {FAILURE_ATTEMPT, DB_SET},
                      {FAILURE_LAST, DB_SET}}},
    [HOST_STAT_ADD] = {&schema_host_stat,
                       DB_PUT,
                       HOST_STAT_COLUMN_COUNT,
                       {{HOST_STAT_ID, DB_KEY},
                        {HOST_STAT_SEEN, DB_SET},
                        {HOST_STAT_ALLOWED, DB_SET},
                        {HOST_STAT_LEASED, DB_ADD},
                        {HOST_STAT_VALID, DB_ADD},
                        {HOST_STAT_INVALID, DB_ADD},
                        {HOST_STAT_ERRORS, DB_ADD},
                        {HOST_STAT_EXPIRED, DB_ADD},
                        {HOST_STAT_REPORTS, DB_ADD},
                        {HOST_STAT_CREDIT, DB_ADD},
                        {HOST_STAT_PACE, DB_SET}}},
    [VOLUNTEER_ADD] = {&schema_volunteer,
                       DB_UPDATE,
                       5,
                       {{VOLUNTEER_ID, DB_KEY},
                        {VOLUNTEER_HOSTS, DB_ADD},
                        {VOLUNTEER_VALID, DB_ADD},
                        {VOLUNTEER_INVALID, DB_ADD},
                        {VOLUNTEER_CREDIT, DB_ADD}}},
    [ACCOUNT_ADD] = {&schema_account, DB_UPDATE, 2, {{ACCOUNT_ID, DB_KEY}, {ACCOUNT_BLOB_BYTES, DB_ADD}}},
    [BATCH_COUNT_ADD] = {&schema_batch_live,
                         DB_UPDATE,
                         1 + BATCH_COUNTERS,
                         {{BATCH_LIVE_ID, DB_KEY}, BATCH_COUNT_LIST(ADD_BATCH_COUNT)}},
    [PROJECT_ADD] = {&schema_project,
                     DB_PUT,
                     2 + PROJECT_COUNTERS,
                     {{PROJECT_ID, DB_KEY}, {PROJECT_CREDIT, DB_ADD}, PROJECT_COUNT_LIST(ADD_PROJECT_COUNT)}},
    [DELIVERY_NEW] =
        {&schema_delivery,
         DB_INSERT,
         4,
         {{DELIVERY_STREAM, DB_KEY}, {DELIVERY_SEQ, DB_KEY}, {DELIVERY_UNIT, DB_SET}, {DELIVERY_AT, DB_SET}}},
    [OUTBOX_NEW] = {&schema_outbox, DB_INSERT, OUTBOX_COLUMN_COUNT, {OUTBOX_COLUMNS(SET_OUTBOX)}},
    [AUDIT_NEW] = {&schema_audit, DB_INSERT, AUDIT_COLUMN_COUNT, {AUDIT_COLUMNS(SET_AUDIT)}},
};

static const struct db_write take_number = {
    &schema_number, DB_PUT, 2, {{NUMBER_NAME, DB_KEY}, {NUMBER_VALUE, DB_ADD}}};
static const struct db_write take_seq = {
    &schema_stream, DB_PUT, 2, {{STREAM_ID, DB_KEY}, {STREAM_LAST, DB_ADD}}};

/* Rows whose guard must hold, or which must be there. */
static bool must_change(enum kind k)
{
    return (k >= UNIT_PLAIN && k <= UNIT_SET_BOTH) || k == BATCH_LIVE_SET || k == BATCH_COUNT_ADD ||
           k == BATCH_CHANGE;
}

struct store_set *store_set_new(void)
{
    return calloc(1, sizeof(struct store_set));
}

void store_set_free(struct store_set *set)
{
    if (!set)
        return;
    for (uint32_t k = 0; k < KINDS; k++)
        free(set->rows[k].values);
    free(set->chains);
    free(set);
}

void store_set_clear(struct store_set *set)
{
    for (uint32_t k = 0; k < KINDS; k++)
        set->rows[k].count = 0;
    set->failed = false;
}

bool store_set_is_empty(const struct store_set *set)
{
    for (uint32_t k = 0; k < KINDS; k++)
        if (set->rows[k].count)
            return false;
    return !set->failed;
}

/* A new row of a kind: its values are to be set by their columns' places. Never NULL, but leads nowhere when
 * there is no memory: then the set is failed. */
static struct db_value *add(struct store_set *set, enum kind k)
{
    struct rows *r = &set->rows[k];
    uint32_t width = writes[k].count;
    if (r->count == r->room) {
        uint32_t room = r->room ? r->room * 2 : 8;
        struct db_value *values = realloc(r->values, (size_t)room * width * sizeof *values);
        if (!values) {
            set->failed = true;
            return set->nowhere;
        }
        r->values = values;
        r->room = room;
    }
    return r->values + (size_t)r->count++ * width;
}

static struct db_value blob_or_null(const struct text *t)
{
    return t->len ? db_blob(t->data, t->len) : db_null();
}

static struct db_value text_of(const struct text *t)
{
    return db_text_len(t->data ? t->data : "", t->len);
}

static struct db_value digest_of(const struct digest *d)
{
    return db_blob(d->bytes, DIGEST_BYTES);
}

/* --- units --- */

void store_set_unit_new(struct store_set *set, wu_id id, const struct text *spec)
{
    struct db_value *v = add(set, UNIT_NEW);
    v[0] = db_int((int64_t)id);
    v[1] = db_int(0);
    v[2] = db_int(WU_OPEN);
    v[3] = db_int(0);
    v[4] = spec->len ? text_of(spec) : db_null();
}

void store_set_unit(struct store_set *set, const struct store_unit_change *c)
{
    struct db_value *v = add(set, UNIT_PLAIN + (c->set_ready ? 1 : 0) + (c->set_wake ? 2 : 0));
    *v++ = db_int((int64_t)c->id);
    *v++ = db_int(c->rev);
    *v++ = db_int((int64_t)c->rev + 1);
    *v++ = db_int(c->state);
    *v++ = db_int(c->hr);
    *v++ = blob_or_null(&c->life);
    *v++ = text_of(&c->history);
    *v++ = db_blob(c->used.data, c->used.len);
    if (c->set_ready) {
        *v++ = c->ready < 0 ? db_null() : db_int(c->ready);
        *v++ = c->failure == WU_FAILURE_NONE ? db_null() : db_int(c->failure);
    }
    if (c->set_wake)
        *v++ = c->wake_ms == INT64_MAX ? db_null() : db_int(c->wake_ms);
}

void store_set_chunk(struct store_set *set, uint32_t batch, uint32_t number, const struct text *envelope)
{
    struct db_value *v = add(set, CHUNK_PUT);
    v[0] = db_int(batch);
    v[1] = db_int(number);
    v[2] = text_of(envelope);
}

void store_set_lease(struct store_set *set, const struct store_lease *lease)
{
    struct db_value *v = add(set, LEASE_PUT);
    v[0] = db_int((int64_t)lease->host_id);
    v[1] = db_int((int64_t)lease->unit);
    v[2] = db_int(lease->attempt);
    v[3] = db_int(lease->deadline_ms);
}

void store_set_lease_end(struct store_set *set, uint64_t host_id, wu_id unit)
{
    struct db_value *v = add(set, LEASE_END);
    v[0] = db_int((int64_t)host_id);
    v[1] = db_int((int64_t)unit);
}

void store_set_note(struct store_set *set, const struct store_note *n)
{
    struct db_value *v = add(set, NOTE_PUT);
    v[NOTE_UNIT] = db_int((int64_t)n->unit);
    v[NOTE_ATTEMPT] = db_int(n->attempt);
    v[NOTE_HOST] = db_int((int64_t)n->host_id);
    v[NOTE_ERROR] = db_text(attempt_error_name(n->error));
    v[NOTE_EXIT_CODE] = db_int(n->exit_code);
    v[NOTE_SIGNAL] = db_int(n->signal);
    v[NOTE_MESSAGE] = db_text(n->message);
    v[NOTE_STDERR] = db_text(n->stderr_tail);
    v[NOTE_AT] = db_int(n->at_ms);
}

void store_set_failure(struct store_set *set, uint32_t batch, uint64_t hash,
                       const struct store_failure_group *g)
{
    struct db_value *v = add(set, FAILURE_ADD);
    v[FAILURE_BATCH] = db_int(batch);
    v[FAILURE_GROUP] = db_int((int64_t)hash);
    v[FAILURE_ERROR] = db_text(attempt_error_name(g->error));
    v[FAILURE_EXIT_CODE] = db_int(g->exit_code);
    v[FAILURE_SIGNAL] = db_int(g->signal);
    v[FAILURE_PATTERN] = db_text(g->pattern);
    v[FAILURE_TIMES] = db_int((int64_t)g->count);
    v[FAILURE_UNIT] = db_int((int64_t)g->sample_unit);
    v[FAILURE_ATTEMPT] = db_int(g->sample_attempt);
    v[FAILURE_LAST] = db_int(g->last_ms);
}

void store_set_small(struct store_set *set, uint32_t batch, const struct digest *digest,
                     const struct text *bytes)
{
    struct db_value *v = add(set, SMALL_NEW);
    v[0] = db_int(batch);
    v[1] = digest_of(digest);
    v[2] = db_blob(bytes->data, bytes->len);
}

void store_set_delivery(struct store_set *set, uint64_t stream, wu_id unit, int64_t at_ms)
{
    struct db_value *v = add(set, DELIVERY_NEW);
    v[0] = db_int((int64_t)stream);
    v[1] = db_int(0);
    v[2] = db_int((int64_t)unit);
    v[3] = db_int(at_ms);
}

/* --- batches --- */

void store_set_batch_new(struct store_set *set, const struct store_batch *b, const char *rules,
                         const char *releases)
{
    struct db_value *v = add(set, BATCH_NEW);
    v[BATCH_ID] = db_int(b->id);
    v[BATCH_USER] = db_int((int64_t)b->user_id);
    v[BATCH_NAME] = db_text(b->name);
    v[BATCH_APP] = db_text(b->app);
    v[BATCH_VERSION] = db_int(b->version);
    v[BATCH_PRIORITY] = db_int(b->priority);
    v[BATCH_ORDER_DIGEST] = digest_of(&b->order_digest);
    v[BATCH_ORDER_TEXT] = text_of(&b->order);
    v[BATCH_LABELS] = text_of(&b->labels);
    v[BATCH_POLICY] = text_of(&b->policy);
    v[BATCH_REQUEST] = text_of(&b->request);
    v[BATCH_RULES] = db_text(rules);
    v[BATCH_RELEASES] = db_text(releases);
    v[BATCH_MEMORY] = db_int((int64_t)b->needs_memory_bytes);
    v[BATCH_DISK] = db_int((int64_t)b->needs_disk_bytes);
    v[BATCH_FEATURES] = db_text(b->needs_features);
    v[BATCH_HR_KIND] = db_text(b->hr_kind);
    v[BATCH_COST] = db_real(b->cost);
    v[BATCH_IS_ARRAY] = db_int(b->array);
    v[BATCH_ARRAY_FIRST] = db_int(b->array_first);
    v[BATCH_ARRAY_STEP] = db_int(b->array_step);
    v[BATCH_ARRAY_COUNT] = db_int(b->array_count);
    v[BATCH_CREATED] = db_int(b->created_ms);
}

void store_set_batch_change(struct store_set *set, uint32_t id, int32_t priority, const char *name,
                            const struct text *labels)
{
    struct db_value *v = add(set, BATCH_CHANGE);
    v[0] = db_int(id);
    v[1] = db_int(priority);
    v[2] = db_text(name);
    v[3] = text_of(labels);
}

static int64_t batch_flags(const struct store_batch *b)
{
    return (b->loading ? STORE_BATCH_LOADING : 0) | (b->paused ? STORE_BATCH_PAUSED : 0) |
           (b->cancelled ? STORE_BATCH_CANCELLED : 0) | (b->purged ? STORE_BATCH_PURGED : 0);
}

void store_set_batch_live(struct store_set *set, const struct store_batch *b, bool active, bool is_new)
{
    struct db_value *v = add(set, is_new ? BATCH_LIVE_NEW : BATCH_LIVE_SET);
    *v++ = db_int(b->id);
    if (!is_new)
        *v++ = db_int(b->rev);
    *v++ = db_int(is_new ? 0 : (int64_t)b->rev + 1);
    *v++ = active ? db_int(1) : db_null();
    *v++ = db_int(batch_flags(b));
    *v++ = db_int(b->job);
    *v++ = db_int(b->job_next);
    *v++ = db_int(b->finished_ms);
    for (uint32_t i = 0; is_new && i < BATCH_COUNTERS; i++)
        *v++ = db_int(0);
}

void store_set_batch_counts(struct store_set *set, uint32_t id, const struct batch_counts *added)
{
    struct db_value *v = add(set, BATCH_COUNT_ADD);
    *v++ = db_int(id);
#define X(name) *v++ = db_int(added->name);
    BATCH_COUNT_LIST(X)
#undef X
}

/* --- hosts and people --- */

void store_set_host(struct store_set *set, const struct store_host *h)
{
    struct db_value *v = add(set, HOST_PUT);
    v[HOST_ID] = db_int((int64_t)h->id);
    v[HOST_VOLUNTEER] = db_int((int64_t)h->volunteer_id);
    v[HOST_FLAGS] = db_int((h->banned ? STORE_HOST_BANNED : 0) | (h->left ? STORE_HOST_LEFT : 0));
    v[HOST_BAN_REASON] = db_text(h->ban_reason);
    v[HOST_NICKNAME] = db_text(h->nickname);
    v[HOST_PLATFORM] = db_text(h->platform);
    v[HOST_OS] = db_text(h->os);
    v[HOST_CPU] = db_text(h->cpu);
    v[HOST_CLIENT] = db_text(h->client);
    v[HOST_HR_CLASS] = db_text(h->hr_class);
    v[HOST_FEATURES] = db_text(h->features);
    v[HOST_CORES] = db_int(h->cores);
    v[HOST_MEMORY] = db_int((int64_t)h->memory_bytes);
    v[HOST_DISK] = db_int((int64_t)h->disk_bytes);
    v[HOST_SPEED] = db_real(h->speed);
    v[HOST_CREATED] = db_int(h->created_ms);
}

void store_set_host_stat(struct store_set *set, const struct store_host_stat *st)
{
    struct db_value *v = add(set, HOST_STAT_ADD);
    v[HOST_STAT_ID] = db_int((int64_t)st->id);
    v[HOST_STAT_SEEN] = db_int(st->seen_ms);
    v[HOST_STAT_ALLOWED] = db_int(st->allowed);
    v[HOST_STAT_LEASED] = db_int(st->leased);
    v[HOST_STAT_VALID] = db_int(st->valid);
    v[HOST_STAT_INVALID] = db_int(st->invalid);
    v[HOST_STAT_ERRORS] = db_int(st->errors);
    v[HOST_STAT_EXPIRED] = db_int(st->expired);
    v[HOST_STAT_REPORTS] = db_int(st->reports);
    v[HOST_STAT_CREDIT] = db_int(st->credit_micro);
    v[HOST_STAT_PACE] = db_blob(st->pace.data, st->pace.len);
}

void store_set_volunteer_new(struct store_set *set, const struct store_volunteer *n)
{
    struct db_value *v = add(set, VOLUNTEER_NEW);
    v[VOLUNTEER_ID] = db_int((int64_t)n->id);
    v[VOLUNTEER_NAME] = db_text(n->name);
    v[VOLUNTEER_TEAM] = db_text(n->team);
    v[VOLUNTEER_CREATED] = db_int(n->created_ms);
    v[VOLUNTEER_CREDIT] = db_int(0);
    v[VOLUNTEER_HOSTS] = db_int((int64_t)n->hosts);
    v[VOLUNTEER_VALID] = db_int(0);
    v[VOLUNTEER_INVALID] = db_int(0);
}

void store_set_volunteer_add(struct store_set *set, uint64_t id, int64_t hosts, int64_t valid,
                             int64_t invalid, int64_t credit_micro)
{
    struct db_value *v = add(set, VOLUNTEER_ADD);
    v[0] = db_int((int64_t)id);
    v[1] = db_int(hosts);
    v[2] = db_int(valid);
    v[3] = db_int(invalid);
    v[4] = db_int(credit_micro);
}

void store_set_user(struct store_set *set, const struct store_user *u, bool is_new)
{
    struct db_value *v = add(set, is_new ? ACCOUNT_NEW : ACCOUNT_PUT);
    *v++ = db_int((int64_t)u->id);
    *v++ = db_text(u->name);
    *v++ = db_text(u->mail);
    *v++ = db_text(role_name(u->role));
    *v++ = db_int(u->disabled);
    if (is_new) {
        *v++ = db_int(u->created_ms);
        *v++ = db_int((int64_t)u->blob_bytes);
    }
    *v++ = db_int((int64_t)u->blob_bytes_max);
    *v++ = db_int((int64_t)u->units_max);
}

void store_set_user_quota(struct store_set *set, uint64_t id, int64_t bytes)
{
    struct db_value *v = add(set, ACCOUNT_ADD);
    v[0] = db_int((int64_t)id);
    v[1] = db_int(bytes);
}

void store_set_token(struct store_set *set, const struct store_token *t)
{
    struct db_value *v = add(set, TOKEN_PUT);
    v[TOKEN_ID] = db_int((int64_t)t->id);
    v[TOKEN_ROLE] = db_text(role_name(t->role));
    v[TOKEN_OWNER] = db_int((int64_t)t->owner_id);
    v[TOKEN_SECRET] = digest_of(&t->secret);
    v[TOKEN_SCOPE] = db_text(t->scope);
    v[TOKEN_NAME] = db_text(t->name);
    v[TOKEN_CREATED] = db_int(t->created_ms);
    v[TOKEN_EXPIRES] = db_int(t->expires_ms);
    v[TOKEN_REVOKED] = db_int(t->revoked);
}

void store_set_invitation(struct store_set *set, const struct store_invitation *i)
{
    struct db_value *v = add(set, INVITATION_PUT);
    v[INVITATION_ID] = db_int((int64_t)i->id);
    v[INVITATION_SECRET] = digest_of(&i->secret);
    v[INVITATION_NAME] = db_text(i->name);
    v[INVITATION_USES] = db_int(i->uses);
    v[INVITATION_USES_MAX] = db_int(i->uses_max);
    v[INVITATION_CREATED] = db_int(i->created_ms);
    v[INVITATION_EXPIRES] = db_int(i->expires_ms);
    v[INVITATION_REVOKED] = db_int(i->revoked);
}

void store_set_release(struct store_set *set, const struct store_release *r)
{
    struct db_value *v = add(set, RELEASE_NEW);
    v[RELEASE_ID] = db_int((int64_t)r->id);
    v[RELEASE_DIGEST] = digest_of(&r->digest);
    v[RELEASE_APP] = db_text(r->app);
    v[RELEASE_PLATFORM] = db_text(r->platform);
    v[RELEASE_VERSION] = db_int(r->version);
    v[RELEASE_BUNDLE] = digest_of(&r->bundle);
    v[RELEASE_BUNDLE_BYTES] = db_int((int64_t)r->bundle_bytes);
    v[RELEASE_RETIRED] = db_int(0);
    v[RELEASE_CREATED] = db_int(r->created_ms);
    v[RELEASE_USER] = db_int((int64_t)r->user_id);
    v[RELEASE_MANIFEST] = text_of(&r->manifest);
    v[RELEASE_ENVELOPE] = text_of(&r->envelope);
}

void store_set_release_retired(struct store_set *set, uint64_t id)
{
    struct db_value *v = add(set, RELEASE_RETIRE);
    v[0] = db_int((int64_t)id);
    v[1] = db_int(1);
}

/* --- the rest --- */

void store_set_outbox(struct store_set *set, enum outbox_kind kind, uint64_t subject, const struct text *body,
                      int64_t due_ms)
{
    struct db_value *v = add(set, OUTBOX_NEW);
    v[OUTBOX_ID] = db_int(0);
    v[OUTBOX_KIND] = db_int(kind);
    v[OUTBOX_SUBJECT] = db_int((int64_t)subject);
    v[OUTBOX_BODY] = body ? text_of(body) : db_null();
    v[OUTBOX_TRIES] = db_int(0);
    v[OUTBOX_DUE] = db_int(due_ms);
}

void store_set_outbox_done(struct store_set *set, uint64_t id)
{
    add(set, OUTBOX_END)[0] = db_int((int64_t)id);
}

void store_set_outbox_later(struct store_set *set, uint64_t id, int64_t due_ms)
{
    struct db_value *v = add(set, OUTBOX_AGAIN);
    v[0] = db_int((int64_t)id);
    v[1] = db_int(1);
    v[2] = db_int(due_ms);
}

void store_set_replay(struct store_set *set, const char *owner, const char *name, const struct digest *body,
                      const struct text *result, int64_t at_ms)
{
    struct db_value *v = add(set, REPLAY_NEW);
    v[REPLAY_OWNER] = db_text(owner);
    v[REPLAY_NAME] = db_text(name);
    v[REPLAY_BODY] = digest_of(body);
    v[REPLAY_RESULT] = db_blob(result->data, result->len);
    v[REPLAY_AT] = db_int(at_ms);
}

void store_set_replay_forget(struct store_set *set, const char *owner, const char *name)
{
    struct db_value *v = add(set, REPLAY_END);
    v[0] = db_text(owner);
    v[1] = db_text(name);
}

void store_set_audit(struct store_set *set, const struct store_audit *e)
{
    struct db_value *v = add(set, AUDIT_NEW);
    v[AUDIT_SEQ] = db_int(0);
    v[AUDIT_AT] = db_int(e->at_ms);
    v[AUDIT_USER] = db_int((int64_t)e->user_id);
    v[AUDIT_ACTION] = db_text(e->action);
    v[AUDIT_SUBJECT] = db_text(e->subject);
    v[AUDIT_DETAIL] = text_of(&e->detail);
    v[AUDIT_CHAIN] = db_null();
}

void store_set_setting(struct store_set *set, const char *name, const char *value)
{
    struct db_value *v = add(set, SETTING_PUT);
    v[0] = db_text(name);
    v[1] = db_text(value);
}

void store_set_project(struct store_set *set, uint32_t server, const struct project_counts *added,
                       int64_t credit_micro)
{
    struct db_value *v = add(set, PROJECT_ADD);
    *v++ = db_int(server);
    *v++ = db_int(credit_micro);
#define X(name) *v++ = db_int(added->name);
    PROJECT_COUNT_LIST(X)
#undef X
}

/* --- the flush --- */

enum err store_take_ids(struct store *s, const char *kind, uint32_t n, uint64_t *ret_last)
{
    struct db_value row[] = {db_text(kind), db_int(n)};
    int64_t last;
    TRY(db_add(s->db, &take_number, row, &last));
    *ret_last = (uint64_t)last;
    return ERR_OK;
}

static int by_first_two(const void *x, const void *y)
{
    const struct db_value *a = x, *b = y;
    if (a[0].kind != DB_INT)
        return 0;
    if (a[0].as.i != b[0].as.i)
        return a[0].as.i < b[0].as.i ? -1 : 1;
    if (a[1].kind != DB_INT || b[1].kind != DB_INT)
        return 0;
    return a[1].as.i < b[1].as.i ? -1 : a[1].as.i > b[1].as.i;
}

/* One order for everybody: servers that write the same rows wait for each other instead of locking each other
 * out; and neighbours in the file are visited together. */
static void sort_rows(struct rows *r, uint32_t width)
{
    if (r->count > 1 && width > 1)
        qsort(r->values, r->count, width * sizeof *r->values, by_first_two);
}

/* Stable by the order in which they were told: equal streams keep it. */
static enum err number_deliveries(struct store *s, struct rows *r)
{
    uint32_t width = writes[DELIVERY_NEW].count;
    for (uint32_t i = 0; i < r->count; i++) {
        struct db_value *first = r->values + (size_t)i * width;
        uint32_t n = 0;
        if (first[1].as.i != 0)
            continue; /* numbered with an earlier one of its stream */
        for (uint32_t k = i; k < r->count; k++)
            n += r->values[(size_t)k * width].as.i == first[0].as.i;
        struct db_value row[] = {first[0], db_int(n)};
        int64_t seq;
        TRY(db_add(s->db, &take_seq, row, &seq));
        seq -= n;
        for (uint32_t k = i; k < r->count; k++) {
            struct db_value *v = r->values + (size_t)k * width;
            if (v[0].as.i == first[0].as.i)
                v[1] = db_int(++seq);
        }
    }
    return ERR_OK;
}

static enum err number_outbox(struct store *s, struct rows *r)
{
    uint64_t last;
    if (r->count == 0)
        return ERR_OK;
    TRY(store_take_ids(s, "outbox", r->count, &last));
    for (uint32_t i = 0; i < r->count; i++)
        r->values[(size_t)i * writes[OUTBOX_NEW].count] = db_int((int64_t)(last - r->count + 1 + i));
    return ERR_OK;
}

/* The number is taken first: it makes other servers wait, so that each entry is chained to the one before it.
 */
static enum err chain_audit(struct store *s, struct store_set *set)
{
    struct rows *r = &set->rows[AUDIT_NEW];
    uint64_t last, seq;
    struct digest before;
    if (r->count == 0)
        return ERR_OK;
    free(set->chains);
    set->chains = malloc(r->count * sizeof *set->chains);
    if (!set->chains)
        return err_set(ERR_NOMEM, "no memory for the audit log");
    TRY(store_take_ids(s, "audit", r->count, &last));
    TRY(store_audit_last(s, &seq, &before));
    for (uint32_t i = 0; i < r->count; i++) {
        struct db_value *v = r->values + (size_t)i * writes[AUDIT_NEW].count;
        struct store_audit e = {
            .seq = last - r->count + 1 + i,
            .at_ms = v[AUDIT_AT].as.i,
            .user_id = (uint64_t)v[AUDIT_USER].as.i,
            .action = v[AUDIT_ACTION].as.p,
            .subject = v[AUDIT_SUBJECT].as.p,
            .detail = {.data = v[AUDIT_DETAIL].as.p, .len = v[AUDIT_DETAIL].len},
        };
        before = set->chains[i] = store_audit_chain(&before, &e);
        v[AUDIT_SEQ] = db_int((int64_t)e.seq);
        v[AUDIT_CHAIN] = digest_of(&set->chains[i]);
    }
    return ERR_OK;
}

static enum err write_kind(struct store *s, struct store_set *set, enum kind k)
{
    struct rows *r = &set->rows[k];
    set->changed[k] = 0;
    if (r->count == 0)
        return ERR_OK;
    if (k == DELIVERY_NEW)
        TRY(number_deliveries(s, r));
    else if (k == OUTBOX_NEW)
        TRY(number_outbox(s, r));
    else if (k == AUDIT_NEW)
        TRY(chain_audit(s, set));
    else
        sort_rows(r, writes[k].count);
    return db_write_later(s->db, &writes[k], r->values, r->count, &set->changed[k]);
}

static enum err check_guards(const struct store_set *set)
{
    for (uint32_t k = 0; k < KINDS; k++)
        if (must_change((enum kind)k) && set->changed[k] != set->rows[k].count)
            return err_set(ERR_CONFLICT, "somebody else has changed %s meanwhile", writes[k].table->name);
    return ERR_OK;
}

enum err store_set_write(struct store *s, struct store_set *set)
{
    enum err e = set->failed ? err_set(ERR_NOMEM, "no memory to write what changed") : ERR_OK;
    for (uint32_t k = 0; k < KINDS && e == ERR_OK; k++)
        e = write_kind(s, set, (enum kind)k);
    if (e == ERR_OK)
        e = db_settle(s->db);
    if (e == ERR_OK)
        e = check_guards(set);
    store_set_clear(set);
    return e;
}

enum err store_commit(struct store *s)
{
    return db_commit(s->db);
}
