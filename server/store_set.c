/* store_set.c - what a turn writes, collected row by row. */
#include "server/store_set.h"

#include <stdlib.h>
#include <string.h>

#include "server/store_schema.h"
#include "server/store_set_in.h"

#define ONE(name) +1
enum { BATCH_COUNTERS = 0 BATCH_COUNT_LIST(ONE) };

struct store_set *store_set_new(void)
{
    return calloc(1, sizeof(struct store_set));
}

void store_set_free(struct store_set *set)
{
    if (!set)
        return;
    for (uint32_t k = 0; k < WRITE_KINDS; k++)
        free(set->rows[k].values);
    free(set->chains);
    free(set);
}

void store_set_clear(struct store_set *set)
{
    for (uint32_t k = 0; k < WRITE_KINDS; k++)
        set->rows[k].count = 0;
    set->failed = false;
}

bool store_set_is_empty(const struct store_set *set)
{
    for (uint32_t k = 0; k < WRITE_KINDS; k++)
        if (set->rows[k].count)
            return false;
    return !set->failed;
}

/* A new row of a kind: its values are to be set by their columns' places. Never NULL, but leads nowhere when
 * there is no memory: then the set is failed. */
static struct db_value *add(struct store_set *set, enum write_kind k)
{
    struct rows *r = &set->rows[k];
    uint32_t width = store_writes[k].count;
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

struct db_value *store_set_row(struct store_set *set, enum write_kind k)
{
    return add(set, k);
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

void store_set_lease(struct store_set *set, const struct store_lease *lease, bool is_new)
{
    struct db_value *v = add(set, is_new ? LEASE_NEW : LEASE_PUT);
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

static struct db_value *trust_values(struct db_value *v, const struct host_trust *t)
{
    *v++ = db_int(t->changed_ms);
    *v++ = db_int(t->passed_milli);
    *v++ = db_int(t->faults_milli);
    *v++ = db_int(t->answers);
    *v++ = db_int((int64_t)t->next);
    return v;
}

void store_set_trust(struct store_set *set, const struct store_trust *t, const struct host_trust *was)
{
    struct db_value *v = add(set, was ? TRUST_MOVE : TRUST_NEW);
    *v++ = db_int((int64_t)t->host_id);
    *v++ = db_int((int64_t)t->app);
    if (was)
        v = trust_values(v, was);
    trust_values(v, &t->trust);
}

void store_set_escrow(struct store_set *set, const struct store_escrow *e)
{
    struct db_value *v = add(set, ESCROW_PUT);
    v[ESCROW_HOST] = db_int((int64_t)e->host_id);
    v[ESCROW_APP] = db_int((int64_t)e->app);
    v[ESCROW_SEQ] = db_int((int64_t)e->entry.seq);
    v[ESCROW_UNIT] = db_int((int64_t)e->entry.unit);
    v[ESCROW_WAIT] = db_int(e->entry.wait);
    v[ESCROW_FLAGS] = db_int((e->entry.open ? 1 : 0) | (e->entry.held ? 2 : 0));
}

void store_set_escrow_end(struct store_set *set, uint64_t host_id, uint64_t app, uint64_t seq)
{
    struct db_value *v = add(set, ESCROW_END);
    v[0] = db_int((int64_t)host_id);
    v[1] = db_int((int64_t)app);
    v[2] = db_int((int64_t)seq);
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
    v[NOTE_STDOUT] = db_text(n->stdout_tail);
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
    v[BATCH_QUESTION] = digest_is_zero(&b->question) ? db_null() : digest_of(&b->question);
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
           (b->cancelled ? STORE_BATCH_CANCELLED : 0) | (b->purged ? STORE_BATCH_PURGED : 0) |
           (b->frozen ? STORE_BATCH_FROZEN : 0) | (b->archived ? STORE_BATCH_ARCHIVED : 0);
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

static int64_t host_flags(bool banned, bool left)
{
    return (banned ? STORE_HOST_BANNED : 0) | (left ? STORE_HOST_LEFT : 0);
}

void store_set_host_new(struct store_set *set, const struct store_host *h)
{
    struct db_value *v = add(set, HOST_NEW);
    v[HOST_ID] = db_int((int64_t)h->id);
    v[HOST_VOLUNTEER] = db_int((int64_t)h->volunteer_id);
    v[HOST_FLAGS] = db_int(host_flags(h->banned, h->left));
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
    v[HOST_NETWORK] = db_int((int64_t)h->network);
    v[HOST_PROTOCOL] = db_int(h->protocol);
}

void store_set_host(struct store_set *set, const struct store_host *h)
{
    struct db_value *v = add(set, HOST_TELL);
    *v++ = db_int((int64_t)h->id);
    *v++ = db_text(h->nickname);
    *v++ = db_text(h->platform);
    *v++ = db_text(h->os);
    *v++ = db_text(h->cpu);
    *v++ = db_text(h->client);
    *v++ = db_text(h->hr_class);
    *v++ = db_text(h->features);
    *v++ = db_int(h->cores);
    *v++ = db_int((int64_t)h->memory_bytes);
    *v++ = db_int((int64_t)h->disk_bytes);
    *v++ = db_real(h->speed);
    *v++ = db_int((int64_t)h->network);
    *v = db_int(h->protocol);
}

void store_set_host_flags(struct store_set *set, const struct store_host *h, bool was_banned, bool was_left)
{
    struct db_value *v = add(set, HOST_FLAG);
    *v++ = db_int((int64_t)h->id);
    *v++ = db_int(host_flags(was_banned, was_left));
    *v++ = db_int(host_flags(h->banned, h->left));
    *v = db_text(h->ban_reason);
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
    v[TOKEN_AGENT] = t->agent && *t->agent ? db_text(t->agent) : db_null();
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
