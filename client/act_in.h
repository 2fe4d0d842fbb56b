/* act_in.h - between act.c (the table, the plan) and act_*.c (one kind of action each) */
#ifndef CLIENT_ACT_IN_H
#define CLIENT_ACT_IN_H

#include "client/act.h"
#include "client/depot.h"
#include "client/journal.h"
#include "client/outcome.h"
#include "client/slot.h"
#include "client/task.h"
#include "wire/items.h"

#define ACT_EVENTS_MAX    512
#define ACT_MESSAGES_MAX  10
#define ACT_SIGNERS_BYTES 160
#define ACT_STARTS_MAX    3 /* runs of one attempt that ended with the machine or the daemon */
#define ACT_PATH_BYTES    DEPOT_PATH_BYTES
#define ACT_FOLDER_MAX    (ACT_PATH_BYTES - 256)

/* One request of a job, with all it points to. */
struct transfer {
    struct act *act;
    uint32_t job, net_id;
    uint8_t kind; /* of the act_*.c that made it */
    int fd;       /* -1: none */
    struct digest digest;
    uint64_t bytes, offset;
    char url[URL_BYTES_MAX + 256];
};

struct held {
    enum depot_kind kind;
    struct digest digest;
};

/* What the place in the plan's table is. */
struct job {
    struct task_ids ids;
    char audit[AUDIT_TEXT_BYTES]; /* what ids.audit points to */ /* ids.spec is owned */
    int64_t deadline_ms;                                         /* Unix time */
    uint32_t starts, mismatches;
    struct transfer *transfer;
    struct held *holds; /* in the depot */
    uint32_t hold_count;
    struct run *run;
    bool sdk, keeps;               /* its program hears wishes; leaves something to go on from */
    bool asked_to_stop;            /* what comes out is not its fault, unless it is an answer */
    int64_t stop_ms;               /* asked so, it is killed then; 0: not */
    int64_t checkpoint_ms;         /* ask for a checkpoint then */
    char app[NAME_BYTES_MAX + 16]; /* for people, once it is known */
    uint32_t batch;
    char signers[ACT_SIGNERS_BYTES]; /* the ids of the keys that signed its release */
    bool has_outcome;
    struct outcome outcome; /* in the arena */
    struct arena arena;
    uint32_t upload_next; /* outputs before it are at the server */
};

/* What the project says to its volunteers. */
struct message {
    int64_t at_ms; /* Unix time */
    char text[256];
};

struct contact {
    struct buf body;
    char url[URL_BYTES_MAX + 32];
    uint32_t id; /* of the request under way; 0: none */
};

struct act {
    char folder[ACT_FOLDER_MAX];
    struct act_host *host; /* net and settings are its */
    const struct settings *settings;
    struct project *project;
    struct net *net;
    struct depot *depot;
    struct task_proofs proofs;
    struct journal *journal;
    struct plan plan;
    struct job *jobs[PLAN_JOBS_MAX];
    struct plan_event events[ACT_EVENTS_MAX];
    uint32_t event_first, event_count;
    int64_t ended_cpu_ms; /* of runs that are over */
    int64_t counted_cpu_ms;
    bool stepping, exit, host_told, look_again;
    bool settled;    /* an outcome is in the journal that may not be durable yet */
    int64_t halt_ms; /* 0: not told to end */
    int64_t wake_ms, run_poll_ms;
    struct contact contact;
    uint32_t refresh_id;
    char refresh_url[URL_BYTES_MAX + 16];
    /* for people */
    char reason[256], problem[256], why[160], offline[64];
    uint64_t ended_ok, ended_bad, counted_ok, counted_bad;
    struct message messages[ACT_MESSAGES_MAX];
    uint32_t message_count; /* ever */
};

/* --- act.c */
/* Tells the plan and does what it says; from within an action, after that action. now_ms and random are
 * filled in. */
void act_tell(struct act *a, struct plan_event event);
struct job *act_job(struct act *a, uint32_t place);
/* A new job with a copy of ids; its place, or PLAN_JOBS_MAX. */
uint32_t act_add_job(struct act *a, const struct task_ids *ids, int64_t deadline_ms);
void act_drop_job(struct act *a, uint32_t place);
uint32_t act_find_job(const struct act *a, const struct attempt_ref *id); /* PLAN_JOBS_MAX: none */
int64_t act_mono_of(int64_t wall_ms);
void act_answer_folder(const struct act *a, const struct attempt_ref *id, char ret[ACT_PATH_BYTES]);
void act_slot_folder(const struct act *a, const struct attempt_ref *id, char ret[ACT_PATH_BYTES]);
/* The job's outcome is settled: into the journal. It is durable before anybody is told and when act_tell(),
 * which has to follow, returns: where a run is begun meanwhile, one sync makes both records durable. */
void act_settle(struct act *a, uint32_t place, const struct outcome *outcome);
void act_sync_settled(struct act *a);
/* Settles it with a word and err_text(), and tells the plan. */
void act_settle_error(struct act *a, uint32_t place, const char *word);
enum err act_start_request(struct act *a, struct transfer *t, struct net_request *request, net_done *done);
struct transfer *act_transfer_new(struct act *a, uint32_t place);
void act_transfer_end(struct act *a, struct transfer *t); /* frees; the request has ended or is cancelled */
void act_release_holds(struct act *a, struct job *j);
void act_log_job(const struct act *a, uint32_t place, const char *event, const char *detail);

/* --- act_fetch.c, act_run.c, act_upload.c, act_contact.c, act_restore.c */
void act_fetch(struct act *a, uint32_t place);
void act_fetch_again(struct act *a); /* jobs that waited for a file which has come or will not */
void act_run(struct act *a, uint32_t place);
void act_poll_runs(struct act *a);
void act_unload_runs(
    struct act *a);                /* those that stand still and have or can leave something to go on from */
void act_stop_runs(struct act *a); /* asks those that hear it, kills the others in good order */
void act_kill_runs(struct act *a); /* in good order: it does not count against the attempt */
void act_upload(struct act *a, uint32_t place);
void act_contact(struct act *a, const struct plan_action *action);
void act_hang_up(struct act *a); /* without an event */
void act_refresh(struct act *a);
enum err act_restore(struct act *a) NODISCARD;
enum err act_compact(struct act *a) NODISCARD;

#endif
