/* plan.h - what a volunteer's host does next. PURE: no clock, no memory, no log, no I/O. The shell (act.c)
 * tells what has happened, plan_step() moves the state and says what to do now and when to ask again.
 *
 * The plan knows jobs only by their place in its table; the shell keeps what they are in a table of its own
 * with the same places. All times are of one clock that never goes back. An action is done before the next
 * event is told; what takes long is begun, and its end is an event. */
#ifndef CLIENT_PLAN_PLAN_H
#define CLIENT_PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define PLAN_JOBS_MAX     1000 /* attempts held at once; more are not asked for */
#define PLAN_ACTIONS_MAX  64   /* of one step; what does not fit is told by the next one */
#define PLAN_FETCHES_MAX  4    /* jobs whose files are being fetched at once */
#define PLAN_UPLOADS_MAX  2
#define PLAN_FAILURES_MAX 8 /* fetches of one job that may fail before it is given up */

enum plan_job_state {
    PLAN_NONE,     /* the place is free */
    PLAN_QUEUED,   /* leased, its files not looked at */
    PLAN_FETCHING, /* its files are being fetched and checked */
    PLAN_READY,    /* may run */
    PLAN_RUNNING,
    PLAN_STOPPING, /* being killed; whatever comes out is not wanted */
    PLAN_FINISHED, /* has an answer with files that the server must have first */
    PLAN_UPLOADING,
    PLAN_REPORTABLE /* everything of it is in a report, and stays until the server has acknowledged it */
};

struct plan_job {
    enum plan_job_state state;
    uint32_t failures; /* in a row, of fetching or uploading */
    int64_t leased_ms, deadline_ms;
    int64_t since_ms;      /* in this state */
    int64_t not_before_ms; /* fetch, upload or report it again */
    int64_t renew_ms;      /* ask for a later deadline from then on */
    double seconds;        /* expected of a run; 0: not known */
    uint64_t memory_bytes; /* its limit; 0: none said */
    bool give_back;        /* when it has ended, it is forgotten instead of reported */
    bool held;             /* its run stands still for now */
};

struct plan_settings {
    uint32_t cores;
    uint64_t memory_bytes; /* of all runs together; 0: not bounded here */
    int64_t buffer_ms;     /* work to have in the house, for each core */
    int64_t report_ms;     /* how long a finished answer may wait for company */
    int64_t heartbeat_ms;  /* holding work, ask the server at least this often what is not wanted any more */
    int64_t refresh_ms;    /* read the project's signed statements anew */
};

enum plan_mode {
    PLAN_WORKING,
    PLAN_FINISHING, /* what runs may end; nothing new; then exit */
    PLAN_LEAVING,   /* stop all, give all back, tell the server, exit */
    PLAN_HALTING    /* the computer or the daemon ends: nothing is begun, exit as soon as nothing runs */
};

struct plan {
    struct plan_settings settings;
    struct plan_job jobs[PLAN_JOBS_MAX];
    uint32_t used; /* places below it may be taken, none above is */
    enum plan_mode mode;
    bool paused;
    int64_t pause_until_ms; /* 0: until resumed */
    uint32_t cores_now;     /* that may work: policy.h */
    uint32_t cores_given;   /* of them, for this project's runs: share.h */
    double part;            /* of the buffer that is this project's, 0..1 */
    uint64_t memory_given;  /* 0: not bounded here */
    bool offline;           /* nothing goes over the network but a goodbye: policy.h */
    bool contacting, refreshing;
    bool waiting;     /* the contact under way may be kept by the server until it has work: let go of when
                         anything else is to be said */
    bool waits_wrong; /* and says what is not so any more */
    uint32_t wait_ms; /* the server lets the next contact wait so long; 0: it does not */
    uint32_t wait_failures;        /* in a row */
    bool saying_goodbye, left;     /* the contact under way says leaving; the server knows */
    int64_t contacted_ms;          /* the last contact that worked; 0: none yet */
    int64_t asked_ms;              /* when the last one was begun */
    int64_t paced_ms;              /* when the last one would have been, all of them evenly apart */
    int64_t wait_not_before_ms;    /* waiting has failed again and again: no more of it for a while */
    int64_t ask_ms;                /* the server does not want to be asked for work earlier */
    int64_t contact_not_before_ms; /* nothing at all earlier: back-off, Retry-After */
    int64_t refreshed_ms;          /* the last try; 0: none yet */
    uint32_t contact_failures, refresh_failures;
    enum err contact_err; /* of the last contact */
    bool refresh_wanted;
    double unit_seconds; /* what a run takes, of those that ended here; 0: none yet */
};

enum plan_event_kind {
    PLAN_TICK,          /* nothing but time */
    PLAN_LEASED,        /* job: a free place; deadline_ms; also of one that a restart interrupted */
    PLAN_RESTORED,      /* job: a free place; it has its outcome from before a restart; uploads */
    PLAN_FETCHED,       /* job, seconds, memory_bytes */
    PLAN_FETCH_FAILED,  /* job, err, retry_after_ms: worth trying again */
    PLAN_ENDED,         /* job, uploads, ran_ms: it has an outcome, of a run or for want of one */
    PLAN_START_PUT_OFF, /* job, err: could not start for a reason that may pass; its files are looked at again
                         */
    PLAN_UPLOADED,      /* job */
    PLAN_UPLOAD_FAILED, /* job, err, retry_after_ms */
    PLAN_ACKED,         /* job, err: ERR_OK and most words forget it, ERR_BUSY, ERR_MISSING do not */
    PLAN_RECALLED,      /* job */
    PLAN_RENEWED,       /* job, deadline_ms */
    PLAN_HEARD,         /* the reply to a contact has come; what was in it is told now */
    PLAN_CONTACTED,     /* next_contact_ms, wait_ms; told after all else that was in the reply */
    PLAN_CONTACT_FAILED, /* err, retry_after_ms */
    PLAN_REFRESHED,
    PLAN_REFRESH_FAILED, /* err, retry_after_ms */
    PLAN_DOUBTED,        /* something signed did not check: maybe by newer keys than we know */
    PLAN_POLICY,         /* cores: that may work now; 0: none. offline: transfers under way are over */
    PLAN_SHARE,          /* cores, part, memory_bytes: of this project, where there are others */
    PLAN_SETTINGS,       /* settings: other ones from now on */
    PLAN_PAUSE,          /* until_ms, 0: until resumed */
    PLAN_RESUME,
    PLAN_FINISH,
    PLAN_LEAVE,
    PLAN_HALT,
    PLAN_EVENT_KINDS
};

struct plan_event {
    enum plan_event_kind kind;
    int64_t now_ms;
    uint64_t random; /* 64 random bits, for back-off */
    uint32_t job, cores, wait_ms;
    enum err err;
    int64_t retry_after_ms; /* 0: none said */
    int64_t deadline_ms, next_contact_ms, until_ms, ran_ms;
    double seconds, part;
    uint64_t memory_bytes;
    bool uploads, offline;
    const struct plan_settings *settings;
};

enum plan_action_kind {
    PLAN_DO_CONTACT,  /* report all PLAN_REPORTABLE, name all held, renew what plan_wants_renewal(), ask */
    PLAN_DO_HANG_UP,  /* drop the contact under way, no event follows; before a DO_CONTACT of the same step */
    PLAN_DO_REFRESH,  /* GET /v1/project, check */
    PLAN_DO_FETCH,    /* job */
    PLAN_DO_RUN,      /* job */
    PLAN_DO_STOP,     /* job: kill it; PLAN_ENDED follows */
    PLAN_DO_GIVE_UP,  /* job: write down the outcome `word` instead of running it, before a DO_CONTACT of the
                         same step; whatever is under way for it is dropped, no event follows */
    PLAN_DO_FORGET,   /* job: drop all of it; its place is free */
    PLAN_DO_PAUSE,    /* job: its run stands still */
    PLAN_DO_CONTINUE, /* job */
    PLAN_DO_UPLOAD,   /* job */
    PLAN_DO_EXIT,
    PLAN_ACTION_KINDS
};

struct plan_action {
    enum plan_action_kind kind;
    uint32_t job;
    const char *word;                /* of ATTEMPT_ERROR_LIST */
    double want_seconds;             /* of DO_CONTACT */
    uint32_t want_cores, want_units; /* 0 units: no work is wanted */
    uint32_t wait_ms;                /* the server may keep it so long */
    bool leaving;
};

struct plan_actions {
    uint32_t count;
    struct plan_action list[PLAN_ACTIONS_MAX];
    int64_t wake_ms; /* tell PLAN_TICK then, if nothing else happens; INT64_MAX: no need */
};

void plan_init(struct plan *p, const struct plan_settings *settings);
void plan_step(struct plan *p, const struct plan_event *event, struct plan_actions *ret);

/* PLAN_LEASED and PLAN_RESTORED without deciding anything: for a start, when much is to be told first. */
void plan_add(struct plan *p, const struct plan_event *event);

/* A free place; PLAN_JOBS_MAX when there is none. */
uint32_t plan_place(const struct plan *p);
uint32_t plan_count(const struct plan *p, enum plan_job_state state);
/* Asks for a later deadline with the next contact. */
bool plan_wants_renewal(const struct plan_job *j, int64_t now_ms);
/* A doubt is worth asking the project about: it was not asked a moment ago. */
bool plan_may_refresh(const struct plan *p, int64_t now_ms);
const char *plan_job_state_name(enum plan_job_state s);

#endif
