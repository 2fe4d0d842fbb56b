/* engine_in.h - what the engine_*.c files share.
 *
 * What is in memory is what the store holds plus what the open transaction will write. A function that
 * returns an error has broken the turn: it is rolled back and everything in memory is forgotten, so nobody
 * needs to undo. What a request did wrong is put into the request instead. */
#ifndef SERVER_ENGINE_IN_H
#define SERVER_ENGINE_IN_H

#include "rules/match.h"
#include "server/cache.h"
#include "server/engine.h"
#include "server/engine_trust.h"
#include "server/store_load.h"
#include "server/store_set.h"
#include "server/store_stream.h"
#include "server/try.h"

enum {
    WINDOW_MAX = 8192, /* ids of one window; a power of two */
    WINDOW_LOW = 512,  /* refilled below this */
    WINDOW_REFILL = 2048,
    PLATFORMS_MAX = 63,
    FAILURE_GROUPS_MAX =
        256, /* of one batch; what comes beyond is counted in one group for each kind of error */
    DIRTY_UNITS_MAX = 8192,
    HELD_UP_MAX = 64,
    BATCHES_IDLE_MAX = 256, /* batches in memory that have nothing to do */
    BATCHES_FRESH_MS = 250, /* what other servers did to batches is seen after so long at most */
    LOOKERS_MAX = 8,        /* trusted hosts that a batch remembers to have looked at it */
    TAIL_TOOK_MAX = 63,     /* times from lease to report that a batch remembers */
    TAIL_UNITS_MAX = 256,   /* units that hold up their batches, known at once */
};

struct unit_mem {
    struct cache_item item; /* key: the unit's id */
    struct wu wu;
    uint32_t rev, hr;
    /* As stored. */
    int ready;
    int64_t wake_ms;
    enum wu_failure failure;
    uint64_t turn;    /* in which it was read */
    int64_t open_ms;  /* since when there is something of it to hand out, as far as this server has seen */
    struct text spec; /* tail; owned */
    bool dirty;
    struct unit_mem *next_dirty;
    struct text history, used; /* of this turn, in its arena */
};

struct host_lease {
    wu_id unit;
    uint32_t attempt;
    int64_t deadline_ms;
    bool stored, changed, gone;
};

/* What this process alone knows of a host, and keeps when it reads it anew. */
struct host_calls {
    uint32_t barred_batch; /* the last one of which nothing that was sent before might go to it, and when */
    int64_t barred_ms;
    int64_t asked_ms;       /* when it asked last */
    int64_t waits_until_ms; /* its request may be kept until then: it is here */
};

struct host_mem {
    struct cache_item item; /* key: the host's id */
    struct arena text;      /* of h */
    struct store_host h;
    bool dirty, told, flagged; /* something is to be written; what it says; whether it is banned or left */
    bool is_new, was_banned, was_left; /* as stored */
    uint64_t turn;                     /* in which it was read */
    struct host_mem *next_dirty;
    struct store_host_stat added;
    struct host_lease *leases;
    uint32_t lease_count, lease_room, leases_out;
    bool leases_loaded;
    struct trust_mem *trusts;
    bool trusts_loaded; /* what is not among them is not stored */
    struct host_calls calls;
};

/* Ids of units that have attempts to send. Every such unit of the batch is in the window or in the store
 * beyond `scanned` (nothing is beyond it when `all`). An id in it may have lost its reason since: look at the
 * unit. */
struct window {
    wu_id *ids; /* a ring; 0: taken */
    uint32_t head, used, live;
    uint32_t look_from; /* where the next look at later ones begins */
    wu_id scanned;
    bool all;
    /* Of several servers: engine_share.c. */
    uint64_t turn;    /* in which it was filled */
    uint32_t pushed;  /* then */
    int64_t empty_ms; /* when nothing was found last */
    wu_id look_after; /* the next look begins after it */
};

struct failure_mem { /* failures of this turn */
    uint32_t batch;
    uint64_t hash;
    struct store_failure_group group;
};

struct batch_mem {
    struct cache_item item; /* key: the batch's id */
    struct arena text;      /* of b */
    struct store_batch b;
    bool active, is_new; /* as stored */
    int64_t read_ms;     /* when it was seen last that it is active */
    bool dirty, live_changed, changed;
    struct batch_mem *next_dirty;
    struct batch_counts added;
    struct window windows[2]; /* never sent; sent before */
    struct match_need need;
    struct output_spec *outputs; /* of the app, in text */
    uint32_t output_count;
    const char *items; /* that output which is a list of items; NULL: none */
    bool outputs_loaded;
    uint64_t *failure_hashes;
    uint32_t failure_count;
    bool failures_loaded;
    bool delivered;       /* in this turn */
    const char **streams; /* that its answers go to, in text */
    uint32_t stream_count;
    bool streams_loaded;
    int64_t failed_max;          /* it is cancelled when more units than this have failed; negative: never */
    bool settling;               /* all that is left of it waits in escrow, and is being ended */
    int64_t settled_ms;          /* when that was last begun */
    uint64_t trust_app;          /* its app version as a number, batch_app(); 0: not worked out yet */
    struct version_mem *version; /* of this era; engine_version.c */
    uint32_t version_era;
    int64_t took_ms[TAIL_TOOK_MAX]; /* a ring; since the server started */
    uint32_t took_count;
    int64_t patience_ms; /* how long an attempt may be out in the tail before a spare goes out */
    bool sends;          /* it had attempts to send when engine_outlook() looked last */
    bool hidden;         /* it went to nobody when it was looked last; engine_check.c */
    int64_t shown_ms;    /* since then it goes out again */
    struct batch_look {
        uint64_t host_id;
        int64_t at_ms;
    } looks[2][LOOKERS_MAX]; /* of trusted hosts that saw what waits of it, and could have taken more */
};

struct tail_unit {
    wu_id id;
    int64_t wait_ms;
};

struct chunk_mem {
    struct cache_item item; /* key: batch << 32 | number */
    uint32_t count;
    struct digest *levels; /* owned */
    struct text envelope;  /* owned */
};

struct stream_mem { /* a stream that was named in this turn, in its arena */
    struct store_stream st;
    bool told; /* has new records */
    struct stream_mem *next;
};

struct routed { /* an answer of this turn that goes to streams; in its arena */
    wu_id unit;
    struct digest answer;
    struct routed *next;
};

struct engine {
    struct store *store;
    struct engine_config config;
    struct store_set *set;
    struct arena turn; /* what the set points to */
    int64_t now_ms;
    struct engine_view view;
    uint64_t turn_number; /* of tries, too */
    uint32_t wanted;      /* units that this turn's hosts ask for */
    int64_t batches_read_ms;
    struct cache units, hosts, batches, chunks;
    struct unit_mem *dirty_units;
    uint32_t dirty_unit_count;
    struct host_mem *dirty_hosts;
    struct batch_mem *dirty_batches;
    struct batch_mem **active; /* by priority, then age */
    uint32_t active_count, active_room;
    bool batches_loaded, resort;
    char *platforms[PLATFORMS_MAX];
    uint32_t platform_count;
    struct project_counts project;
    int64_t project_credit_micro;
    struct failure_mem *failures;
    uint32_t failure_count, failure_room;
    struct volunteer_add {
        uint64_t id;
        int64_t hosts, valid, invalid, credit_micro;
    } * volunteers;
    uint32_t volunteer_count, volunteer_room;
    struct quota_add {
        uint64_t user_id;
        int64_t bytes;
    } * quotas;
    uint32_t quota_count, quota_room;
    struct trust_crowd crowds[CROWDS_MAX];
    struct trust_todo *todo;
    uint32_t todo_count, todo_room;
    bool units_new, keys_new; /* in the set, not in the store yet */
    bool judge_new, webhook_new, purge_new;
    struct stream_mem *streams;
    struct routed *routed, **routed_end;
    bool streams_new; /* likewise in the set */
    bool stages_new;  /* likewise */
    uint64_t
        held_up[HELD_UP_MAX]; /* streams of which a member was given nothing until another acknowledges */
    uint32_t held_up_next;
    uint64_t cleared_stream; /* the one that was looked at last for what may be purged */
    /* That held up their batches when it was looked last, longest first. */
    struct tail_unit tail[TAIL_UNITS_MAX];
    uint32_t tail_count;
    uint64_t tail_turn;
    int64_t tail_looked_ms, hosts_counted_ms;
    uint32_t hosts_about;
    bool hosts_recorded; /* those that asked in the last hour and day before this engine started are known */
    uint32_t hosts_hour, hosts_day;
    int64_t work_ms;           /* when work came in or went out last */
    int64_t asked_ms;          /* when a host asked for work last */
    int64_t heard_ms;          /* since when they do so without a long break */
    uint64_t news;             /* engine_outlook() */
    struct arena version_text; /* of what follows: engine_version.c */
    struct version_mem *versions;
    struct version_app *version_apps;
    uint32_t version_era;
    int64_t versions_read_ms;
    char client_min[48];
    uint32_t protocol_min;
    bool minima_loaded;
    int64_t cleaned_ms; /* when old idempotency keys were forgotten last */
    struct engine_stats stats;
};

/* engine.c */
enum err
engine_flush(struct engine *e) NODISCARD; /* into the open transaction: after it the store knows all */
enum err engine_text(struct arena *a, const char *text, const char **ret) NODISCARD;
enum err engine_bytes(struct arena *a, const struct text *from, struct text *ret) NODISCARD;
/* Ends a request with this thread's sentence; `e` is not ERR_OK. */
void engine_fail(struct engine_request *r, enum err e);
void engine_audit(struct engine *e, const struct engine_request *r, const char *action, uint64_t subject);

/* engine_unit.c */
enum err unit_find(struct engine *e, wu_id id,
                   struct unit_mem **ret) NODISCARD; /* NULL where there is none */
enum err unit_keep(struct engine *e, const struct store_unit_row *row, struct unit_mem **ret) NODISCARD;
enum err unit_prefetch(struct engine *e, const wu_id *ids, uint32_t count) NODISCARD;
/* Applies an event; *ret_step is what the rules said, with err_text(). All that follows from it is in memory
 * then. */
struct unit_fact { /* what a report adds to the event */
    uint32_t cpu_ms, wall_ms;
    uint64_t memory_bytes, output_bytes;
    bool used;
};
enum err unit_apply(struct engine *e, struct unit_mem *u, const struct wu_event *ev,
                    const struct unit_fact *fact, enum err *ret_step) NODISCARD;
/* Hosts that were banned have no voice in what is decided now; events of the unit follow. */
enum err unit_void_banned(struct engine *e, struct unit_mem *u) NODISCARD;
enum err units_write(struct engine *e) NODISCARD;
void unit_free(struct engine *e, struct unit_mem *u);
/* The same as unit_find() for a unit that is this server's to hand out: what is remembered will do, as its
 * guard tells when it is otherwise. */
enum err unit_find_own(struct engine *e, wu_id id, struct unit_mem **ret) NODISCARD;
enum err unit_prefetch_locked(struct engine *e, wu_id *ids, uint32_t count) NODISCARD; /* sorts them */
int unit_ready(const struct wu *wu);

/* engine_host.c */
enum err host_find(struct engine *e, uint64_t id, struct host_mem **ret) NODISCARD;
enum err host_prefetch(struct engine *e, const uint64_t *ids, uint32_t count) NODISCARD;
/* What hosts that are in memory hold, at once; others are left out. */
enum err host_prefetch_leases(struct engine *e, const uint64_t *ids, uint32_t count) NODISCARD;
/* As it was some time ago will do. */
enum err host_find_about(struct engine *e, uint64_t id, struct host_mem **ret) NODISCARD;
enum err host_leases(struct engine *e, struct host_mem *h) NODISCARD; /* loads them */
struct host_lease *host_lease_find(struct host_mem *h, wu_id unit, uint32_t attempt);
enum err host_lease_set(struct engine *e, struct host_mem *h, wu_id unit, uint32_t attempt,
                        int64_t deadline_ms) NODISCARD;
void host_lease_end(struct engine *e, struct host_mem *h, wu_id unit, uint32_t attempt);
void host_touch(struct engine *e, struct host_mem *h);
enum err host_tell(struct engine *e, struct host_mem *h, const struct store_host *says) NODISCARD;
void host_well(struct engine *e, struct host_mem *h);  /* it may have more out */
void host_badly(struct engine *e, struct host_mem *h); /* it may have less out */
enum err volunteer_add(struct engine *e, uint64_t id, int64_t hosts, int64_t valid, int64_t invalid,
                       int64_t credit_micro) NODISCARD;
enum err hosts_write(struct engine *e) NODISCARD;
enum err host_leave(struct engine *e, struct host_mem *h) NODISCARD;
void host_free(struct engine *e, struct host_mem *h);
enum err host_new(struct engine *e, const struct store_host *h, struct host_mem **ret) NODISCARD;
uint64_t features_of(const char *words);
uint64_t platform_bit(struct engine *e, const char *name); /* 0 when there are too many */

/* engine_prefetch.c: for the requests of one turn */
enum err turn_prefetch(struct engine *e, struct engine_request **requests, uint32_t count) NODISCARD;

/* engine_trust_mem.c */
uint64_t batch_app(struct batch_mem *b); /* its app and version as a number */
/* What is believed of a host as runner of an app; new where nothing is. */
enum err trust_find(struct engine *e, struct host_mem *h, uint64_t app, struct trust_mem **ret) NODISCARD;
void trust_touch(struct engine *e, struct host_mem *h, struct trust_mem *t); /* it was changed */
/* Answers in escrow, of which one more than the place is told; 0: none. */
uint32_t entry_find(const struct trust_mem *t, wu_id unit);
enum err entry_add(struct trust_mem *t, const struct escrow_entry *entry) NODISCARD;
void entry_put(struct trust_mem *t, uint32_t at, bool held, bool open);
void entry_set(struct trust_mem *t, wu_id unit, bool held,
               bool open); /* no more than these, if there is one */
void trusts_write(struct engine *e, struct host_mem *h);
void trusts_free(struct host_mem *h);
/* What is believed of hosts that were just read, at once. */
enum err trusts_prefetch(struct engine *e, struct host_mem *const *hosts, uint32_t count) NODISCARD;

/* engine_trust.c */
enum err trust_follow(struct engine *e, struct batch_mem *b, struct unit_mem *u, const struct wu *before,
                      const struct wu_effects *fx) NODISCARD;
/* A unit went out to a host. */
enum err trust_leased(struct engine *e, struct batch_mem *b, const struct unit_mem *u,
                      struct host_mem *h) NODISCARD;
/* What waits of the host's answers, provisionally or to be checked, is void; trust_settle() does it. */
enum err trust_void_host(struct engine *e, struct host_mem *h) NODISCARD;
/* All that the host has out ends as returned, and goes to others; likewise. */
enum err host_give_back(struct engine *e, struct host_mem *h) NODISCARD;
/* Ends the wait of a provisional unit, as nothing will come after it. */
enum err trust_close(struct engine *e, struct batch_mem *b, struct unit_mem *u) NODISCARD;
/* Begins to end what waits in escrow, when nothing else is left of the batch. */
void trust_look(struct engine *e, struct batch_mem *b);
/* Applies what followed for other units; between requests. */
enum err trust_settle(struct engine *e) NODISCARD;

/* engine_crowd.c */
/* The hosts that ask for the batch's work; *ret lives until the next call. */
enum err crowd_of(struct engine *e, struct batch_mem *b, struct trust_crowd **ret) NODISCARD;
void crowd_count(struct trust_crowd *c, uint64_t host_id, bool trusted); /* this one has asked */
/* What is on record of hosts is known from here on. */
enum err crowd_record(struct engine *e) NODISCARD;
/* The host asks for work, of whatever batch: it is there to check what it is trusted with. */
void crowds_asked(struct engine *e, const struct host_mem *h);
/* Whose word counts among the crowd: of those with so many answers confirmed, and how many there are. Where
 * too few are trusted by the batch's own measure, those that are by the next laxer one among the app's
 * batches; and else the furthest. attended: so many of them ask that nobody else need check anything. */
struct crowd_checkers {
    uint32_t answers, hosts;
    bool attended;
};
struct crowd_checkers crowd_checkers(const struct engine *e, const struct trust_crowd *c);
/* So many of its answers are confirmed now, in whatever batch of the app. */
void crowd_trust(struct engine *e, uint64_t app, uint64_t host_id, uint32_t answers);
/* Has it asked in this hour or the one before? */
bool crowd_has(const struct trust_crowd *c, uint64_t host_id);
/* As many answers have those TRUST_CHECKERS_MIN hosts confirmed that are furthest, of those that are there.
 */
uint32_t crowd_level(const struct engine *e, const struct trust_crowd *c);
uint32_t crowd_hosts(const struct trust_crowd *c);
uint32_t crowd_trusted(const struct trust_crowd *c);

/* engine_batch.c */
enum err batch_find(struct engine *e, uint32_t id, struct batch_mem **ret) NODISCARD;
enum err batches_load(struct engine *e) NODISCARD; /* those that are active; once */
/* Takes over what other servers did to them. now: though it was looked lately. */
enum err batches_refresh(struct engine *e, bool now) NODISCARD;
/* Its counters as they are now, when others count too. */
enum err batch_recount(struct engine *e, struct batch_mem *b) NODISCARD;
/* What a server that sees a part of what happens cannot see to the end: batches that are over. */
enum err batches_look(struct engine *e) NODISCARD;
void batch_touch(struct engine *e, struct batch_mem *b);
void batch_live_changed(struct engine *e, struct batch_mem *b);
enum err batches_write(struct engine *e) NODISCARD;
enum err batch_check_finished(struct engine *e, struct batch_mem *b) NODISCARD;
/* More units have failed than its owner bears: what is left is cancelled. */
enum err batch_check_failed(struct engine *e, struct batch_mem *b) NODISCARD;
void batch_count_new(struct engine *e, struct batch_mem *b, int64_t units);
void batch_free(struct engine *e, struct batch_mem *b);
void batches_sort(struct engine *e);
enum err on_batch(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_units(struct engine *e, struct engine_request *r) NODISCARD;

/* engine_batch_do.c */
enum err batch_jobs(struct engine *e, bool *ret_more) NODISCARD;
enum err on_batch_do(struct engine *e, struct engine_request *r) NODISCARD;

enum err batch_do(struct engine *e, struct batch_mem *b, enum engine_batch_verb verb) NODISCARD;

/* engine_graph.c */
enum err stage_keep(struct engine *e, uint32_t batch, const struct store_stage *from) NODISCARD;
enum err on_stage(struct engine *e, struct engine_request *r) NODISCARD;

/* engine_schedule.c */
enum err on_schedule(struct engine *e, struct engine_request *r) NODISCARD;

/* engine_reuse.c: an accepted unit may answer a later one; one whose files go may not; new units, already
 * written, take their answers. */
enum err answered_keep(struct engine *e, struct batch_mem *b, const struct unit_mem *u) NODISCARD;
enum err answered_forget(struct engine *e, struct batch_mem *b, const struct unit_mem *u) NODISCARD;
enum err units_take(struct engine *e, uint32_t batch, uint32_t first, const struct engine_taken *taken,
                    uint32_t count) NODISCARD;

/* engine_failure.c */
enum err batch_note_failure(struct engine *e, struct batch_mem *b, const struct store_note *note) NODISCARD;

/* engine_share.c: several servers hand out one batch */
enum err window_share(struct engine *e, struct batch_mem *b, bool started) NODISCARD;

/* dispatch.c */
void window_offer(struct window *w, wu_id id);
bool window_push(struct window *w, wu_id id);
void window_clear(struct window *w);
enum err window_refill(struct engine *e, struct batch_mem *b, bool started) NODISCARD;
enum err dispatch(struct engine *e, struct engine_request *r, struct host_mem *h) NODISCARD;
/* Adds what the host needs to run a leased attempt to the reply. */
enum err dispatch_give(struct engine *e, struct engine_request *r, struct host_mem *h, struct batch_mem *b,
                       struct unit_mem *u, uint32_t attempt) NODISCARD;

/* engine_tail.c */
uint32_t tail_share(struct engine *e, uint32_t cores); /* attempts that a host is given at most, for now */
void tail_note(struct batch_mem *b, int64_t took_ms);  /* an attempt was reported so long after its lease */
enum err tail_look(struct engine *e) NODISCARD;        /* fills e->tail, at most once a second */
enum err tail_read(struct engine *e) NODISCARD;        /* as other servers left them; once in a turn */
/* How long the unit holds up its batch by now; 0: no spare is called for. */
int64_t tail_wait_ms(const struct engine *e, const struct batch_mem *b, const struct unit_mem *u);

/* engine_check.c: who may check what others answered */
struct check { /* of one host, in one search */
    struct engine *e;
    struct host_mem *h;
    bool tail;                /* it looks for what it may do a second time */
    struct trust_leave leave; /* of the batch in hand */
    uint32_t loads;
};
/* May the host begin new units of the batch, and check what others answered? Its leases are loaded. */
enum err trust_allows(struct engine *e, struct batch_mem *b, struct host_mem *h,
                      struct trust_leave *ret) NODISCARD;
void check_asked(struct engine *e);                                      /* a host asks for work */
void check_offered(struct engine *e, struct batch_mem *b, bool offered); /* does the batch go to anybody? */
/* A trusted host has seen what waits of the batch, and takes no more of it. */
void check_looked(const struct check *c, struct batch_mem *b);
/* How long what is left of the unit is for others to take; -1: nobody ever had it. */
int64_t check_waited_ms(const struct check *c, const struct unit_mem *u);
/* Is it somebody else's turn to give this unit its second answer, or to audit it? Only that counts of
 * waited_ms in which the batch went out, and hosts asked. */
bool check_is_not_drawn(const struct check *c, const struct batch_mem *b, const struct wu *wu,
                        uint32_t attempt, int64_t waited_ms);
/* May the host not be given this unit because of who has had it? */
enum err check_is_kin(struct check *c, const struct batch_mem *b, const struct wu *wu, bool *ret) NODISCARD;

/* engine_version.c */
void versions_forget(struct engine *e);
void versions_refresh(struct engine *e); /* between turns */
void versions_write(struct engine *e);
/* *ret_why is "" when the host's client is new enough. */
enum err version_refuses(struct engine *e, const struct store_host *h, char *ret_why, size_t room) NODISCARD;
void version_minima_changed(struct engine *e);
enum err version_minima_read(struct engine *e) NODISCARD; /* unless they are known */
/* Does the batch's version of its app go to this host? */
enum err version_allows(struct engine *e, struct batch_mem *b, const struct host_mem *h, bool *ret) NODISCARD;
enum err version_explain(struct engine *e, struct batch_mem *b, char *ret,
                         size_t room) NODISCARD; /* why not */
/* An attempt of the batch has ended. */
enum err version_note(struct engine *e, struct batch_mem *b, uint64_t host_id, bool bad) NODISCARD;
enum err on_version(struct engine *e, struct engine_request *r) NODISCARD;

/* engine_chunk.c */
enum err chunk_find(struct engine *e, struct batch_mem *b, uint32_t index, struct chunk_mem **ret) NODISCARD;
void chunk_free(struct engine *e, struct chunk_mem *c);

/* engine_output.c: *ret_why is "" when the answer has the files that the app declares, no others and none too
 * big. */
enum err output_check(struct engine *e, struct batch_mem *b, const struct engine_report *p, bool audit,
                      char *ret_why, size_t room) NODISCARD;

/* Does the batch's app declare this output? */
enum err output_declared(struct engine *e, struct batch_mem *b, const char *path, bool *ret) NODISCARD;

/* engine_stream.c */
void streams_forget(struct engine *e);
/* By its name; made for this user when there is none. *ret is NULL when there are STREAMS_MAX already. */
enum err stream_find(struct engine *e, const char *name, uint64_t user_id, struct stream_mem **ret) NODISCARD;
/* A record into the set; its texts, and what is taken from the arena, live until the write. */
enum err stream_add(struct engine *e, struct arena *a, struct stream_mem *m,
                    const struct store_record *record) NODISCARD;
/* Whoever waits for the stream looks again after this turn. */
enum err stream_tell(struct engine *e, const struct store_stream *st) NODISCARD;
enum err streams_clear(struct engine *e, bool *ret_more) NODISCARD; /* a slice of what is to be purged */
enum err on_publish(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_stream(struct engine *e, struct engine_request *r) NODISCARD;

/* engine_cursor.c */
enum err on_cursor(struct engine *e, struct engine_request *r) NODISCARD;
/* Moves the cursor that feeds a batch; *ret_moved is false when it was not where it was thought to be. */
enum err cursor_feed(struct engine *e, const struct engine_units *q, bool *ret_moved) NODISCARD;

/* engine_route.c: an answer's way to streams */
enum err route_keep(struct engine *e, uint32_t batch, const struct engine_batch *q) NODISCARD;
enum err route_answer(struct engine *e, struct batch_mem *b, const struct unit_mem *u) NODISCARD;
enum err routes_write(struct engine *e) NODISCARD;
/* Is what an answer says of its streams well written? *ret_why is "" when it is, or when it says nothing. */
enum err route_check(struct engine *e, struct batch_mem *b, const struct engine_report *p, char *ret_why,
                     size_t room) NODISCARD;

/* engine_work.c, engine_people.c */
/* Room for another unit in the reply. */
enum err given_add(struct engine_request *r, struct engine_given **ret) NODISCARD;
enum err on_work(struct engine *e, struct engine_request *r) NODISCARD;
/* row: answer_row.h. */
enum err answer_keep(struct engine *e, wu_id unit, const struct digest *answer,
                     const struct text *row) NODISCARD;
enum err on_join(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_host(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_release(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_user(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_token(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_invitation(struct engine *e, struct engine_request *r) NODISCARD;
enum err on_credential(struct engine *e, struct engine_request *r) NODISCARD; /* engine_credential.c */
/* Idempotency keys: known: the request is answered as it was. The numbers are what the request gave back. */
#define REPLAY_NUMBERS 4
enum err replay_find(struct engine *e, struct engine_request *r, uint64_t ret_numbers[REPLAY_NUMBERS],
                     bool *ret_known) NODISCARD;
enum err replay_keep(struct engine *e, const struct engine_request *r,
                     const uint64_t numbers[REPLAY_NUMBERS]) NODISCARD;
enum err replays_clean(struct engine *e) NODISCARD;

#endif
