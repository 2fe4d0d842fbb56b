/* members.h - the servers that work on one database: which of them live, who does what.
 *
 * Each has a row that it changes twice a second (its beat). A server whose row has stood still for
 * MEMBER_DEAD_MS, by the clock of whoever looks, is dead: its row goes, and with it all that it had claimed.
 * No two clocks are ever compared. A server that could not write its beat for MEMBER_VALID_MS takes itself
 * for dead earlier than any other may: it gives up its duties and trusts nothing that it remembers.
 *
 * Duties are things that one server does for all. They are claimed by rows, shared out evenly, and taken over
 * when their server is dead. All are harmless when two do them for a moment; see server/README.md.
 *
 * Servers tell each other of news (a batch has an answer, a stream has records) through their rows, so that
 * who waits at one server hears within MEMBER_NEWS_MS of what was done at another.
 *
 * NULL instead of members: the one server of a database that nobody else writes to. Any thread. */
#ifndef SERVER_MEMBERS_H
#define SERVER_MEMBERS_H

#include "base/err.h"
#include "server/engine.h"
#include "server/store.h"

#define MEMBER_BEAT_MS  500
#define MEMBER_POLL_MS  250
#define MEMBER_VALID_MS 3000
#define MEMBER_DEAD_MS  5000
#define MEMBER_NEWS_MS  (2 * MEMBER_POLL_MS) /* and the time of two short transactions */

/* X(NAME, word) */
#define DUTY_JUDGES 8 /* what is judged is shared out by its number in the outbox */
#define DUTY_LIST(X)                                                                                         \
    X(TICK, "deadlines")                                                                                     \
    X(DELIVER, "deliver")                                                                                    \
    X(FEED, "feed")                                                                                          \
    X(GRAPH, "graph")                                                                                        \
    X(TIMETABLE, "timetable")                                                                                \
    X(ALERTS, "alerts")                                                                                      \
    X(ARCHIVE, "archives")                                                                                   \
    X(JUDGE, "judge")
enum duty {
#define X(name, word) DUTY_##name,
    DUTY_LIST(X)
#undef X
        DUTIES = DUTY_JUDGE + DUTY_JUDGES /* the judge's are the last */
};
const char *duty_name(enum duty d);

struct members;

struct members_config {
    struct store *store; /* writes; the members' alone until members_leave() */
    const char *place;   /* names this machine and data folder: whoever was here before has ended */
    /* What another server told, on the members' thread: quick. all: more than was kept, anything may be new.
     */
    void (*on_news)(void *ctx, uint64_t number, bool all);
    void *ctx;
};

/* Returns when all servers that live reckon with this one: after a second at most, or MEMBER_DEAD_MS and some
 * when another has died lately. */
enum err members_join(const struct members_config *config, struct members **ret_members) NODISCARD;
/* Gives up all that it had; NULL is fine. */
void members_leave(struct members *m);

bool members_have(const struct members *m, enum duty d); /* is it this server's to do? NULL: yes */
void members_view(const struct members *m, struct engine_view *ret);
/* For engine_config.view; ctx is a struct members, or NULL. */
void members_engine_view(void *ctx, struct engine_view *ret);
void members_tell(struct members *m, uint64_t number); /* NULL is fine; quick */

#endif
