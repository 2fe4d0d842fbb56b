/* cmd_consume.c - `dugnad consume`: runs a program for each record of a stream, and acknowledges what it did
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/stream.h"

enum {
    JOBS_MAX = 256,
    WAIT_S = 25,
    LEASE_DEFAULT_S = 60,
    RETRY_DEFAULT_S = 10,
    LOOK_AGAIN_MS = 500,
    REST_MS = 200,
    AGAIN_MS = 5000
};

struct record {
    struct record *next;
    uint64_t seq;
    long long times;
    char *tie;  /* unit or group: one after the other; "" none */
    char *text; /* what the program reads */
};

struct job {
    pid_t pid; /* 0: free */
    struct record *records;
};

struct seqs {
    uint64_t *list;
    uint32_t count, room;
};

struct consumer {
    struct cli *c;
    const char *stream, *cursor;
    char member[NAME_BYTES_MAX + 1];
    char *const *argv;
    int64_t jobs_max, each, lease_s, retry_s;
    bool once, json;
    struct record *waiting, **waiting_end;
    uint32_t waiting_count, running;
    struct job jobs[JOBS_MAX];
    struct seqs done, back; /* to be told */
    uint64_t handled, failed;
    int64_t renewed_ms, asked_ms;
    bool stop, empty;
    sigset_t outside; /* the mask that programs get */
};

enum err stream_path(struct buf *out, const char *stream, const char *after)
{
    if (!str_is_name(stream))
        return err_set(ERR_INVALID,
                       "'%.80s' is no name of a stream: small letters, digits, dots, dashes and underlines",
                       stream);
    return buf_printf(out, "/v1/streams/%s%s", stream, after);
}

static enum err out_of_memory(void)
{
    return err_set(ERR_NOMEM, "no memory for another record");
}

static enum err add_seq(struct seqs *s, uint64_t seq)
{
    if (s->count == s->room) {
        uint32_t room = s->room ? s->room * 2 : 64;
        uint64_t *list = realloc(s->list, room * sizeof *list);
        if (!list)
            return out_of_memory();
        s->list = list;
        s->room = room;
    }
    s->list[s->count++] = seq;
    return ERR_OK;
}

static void record_free(struct record *r)
{
    free(r->tie);
    free(r->text);
    free(r);
}

/* --- talking to the server --- */

static void write_seqs(struct json_out *o, const char *key, struct seqs *s)
{
    uint32_t n = s->count < RECORDS_PER_REQUEST_MAX ? s->count : RECORDS_PER_REQUEST_MAX;
    if (n == 0)
        return;
    json_out_array(o, key);
    for (uint32_t i = 0; i < n; i++)
        json_out_u64(o, NULL, s->list[s->count - n + i]);
    json_out_close(o);
}

static void told(struct seqs *s)
{
    s->count -= s->count < RECORDS_PER_REQUEST_MAX ? s->count : RECORDS_PER_REQUEST_MAX;
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

/* Everything that waits or is worked on. */
static enum err collect(const struct consumer *k, struct seqs *all)
{
    enum err e = ERR_OK;
    for (const struct record *r = k->waiting; r && e == ERR_OK; r = r->next)
        e = add_seq(all, r->seq);
    for (int64_t i = 0; i < k->jobs_max; i++)
        for (const struct record *r = k->jobs[i].records; r && e == ERR_OK; r = r->next)
            e = add_seq(all, r->seq);
    if (all->count > 1)
        qsort(all->list, all->count, sizeof *all->list, by_number);
    return e;
}

/* By name: what was handed out in a reply that never came must come again. */
static enum err write_renewed(const struct consumer *k, struct json_out *o)
{
    struct seqs all = {0};
    uint32_t spans = 0;
    enum err e = collect(k, &all);
    json_out_array(o, "renew");
    for (uint32_t i = 0, n; e == ERR_OK && i < all.count && spans < RECORDS_PER_REQUEST_MAX;
         i += n, spans++) {
        for (n = 1; i + n < all.count && all.list[i + n] == all.list[i] + n;)
            n++;
        json_out_array(o, NULL);
        json_out_u64(o, NULL, all.list[i]);
        json_out_u64(o, NULL, all.list[i] + n - 1);
        json_out_close(o);
    }
    json_out_close(o);
    json_out_i64(o, "renew_s", k->lease_s);
    free(all.list);
    return e;
}

/* What was done, what failed, that what is left is still worked on; or that all of it is given back. */
static enum err tell_once(struct consumer *k, bool release)
{
    BUF_AUTO struct buf path = {0}, body = {0};
    struct json_out o;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "member", k->member);
    write_seqs(&o, "seqs", &k->done);
    write_seqs(&o, "back", &k->back);
    json_out_i64(&o, "back_s", k->retry_s);
    if (release)
        json_out_bool(&o, "release", true);
    enum err e = release ? ERR_OK : write_renewed(k, &o);
    json_out_close(&o);
    if (e == ERR_OK)
        e = json_out_end(&o);
    if (e == ERR_OK && (e = stream_path(&path, k->stream, "/cursors/")) == ERR_OK &&
        (e = buf_printf(&path, "%s/ack", k->cursor)) == ERR_OK)
        e = api_send(k->c, "POST", buf_text(&path), &body, NULL, NULL);
    if (e == ERR_OK) {
        told(&k->done);
        told(&k->back);
        k->renewed_ms = clock_mono_ms();
    }
    return e;
}

static enum err tell(struct consumer *k, bool release)
{
    enum err e = tell_once(k, release);
    while (e == ERR_OK && k->done.count + k->back.count > 0)
        e = tell_once(k, release);
    return e;
}

static enum err keep(struct consumer *k, const struct json *item)
{
    BUF_AUTO struct buf text = {0};
    const char *body = json_text(json_field(item, "body")), *tie = json_text(json_field(item, "unit"));
    enum err e = k->json || !body ? json_dump(item, &text) : buf_add_text(&text, body);
    struct record *r = calloc(1, sizeof *r);
    if (e != ERR_OK || !r) {
        free(r);
        return e == ERR_OK ? out_of_memory() : e;
    }
    tie = tie ? tie : json_text(json_field(item, "group"));
    r->seq = (uint64_t)json_int(json_field(item, "seq"), 0);
    r->times = json_int(json_field(item, "times"), 1);
    r->tie = strdup(tie ? tie : "");
    r->text = buf_take(&text);
    if (!r->tie || !r->text) {
        record_free(r);
        return out_of_memory();
    }
    *k->waiting_end = r;
    k->waiting_end = &r->next;
    k->waiting_count++;
    return ERR_OK;
}

static enum err fetch(struct consumer *k, int wait_s)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *items;
    int64_t limit = k->jobs_max * k->each;
    limit = limit < RECORDS_PER_REQUEST_MAX ? limit : RECORDS_PER_REQUEST_MAX;
    enum err e = stream_path(&path, k->stream, "/records");
    if (e == ERR_OK)
        e = buf_printf(&path, "?cursor=%s&member=%s&limit=%d&lease=%d&wait=%d", k->cursor, k->member,
                       (int)limit, (int)k->lease_s, wait_s);
    if (e == ERR_OK)
        e = api_get(k->c, buf_text(&path), &doc);
    if (e == ERR_OK)
        e = json_get_array(json_root(doc), "reply", "items", JSON_VALUES_MAX, &items);
    if (e != ERR_OK)
        return e;
    k->empty = json_count(items) == 0;
    k->asked_ms = clock_mono_ms();
    if (k->running == 0 && k->waiting_count == 0)
        k->renewed_ms = k->asked_ms;
    for (size_t i = 0; i < json_count(items) && e == ERR_OK; i++)
        e = keep(k, json_at(items, i));
    return e;
}

/* --- programs --- */

static bool is_busy(const struct consumer *k, const char *tie)
{
    for (int64_t i = 0; *tie && i < k->jobs_max; i++)
        for (const struct record *r = k->jobs[i].pid ? k->jobs[i].records : NULL; r; r = r->next)
            if (str_eq(r->tie, tie))
                return true;
    return false;
}

/* Takes the next records that may begin, in their order, for one program. */
static struct record *take(struct consumer *k)
{
    struct record *first = NULL, **end = &first, **at = &k->waiting;
    const char *held[64]; /* of those that were passed over: later ones of the same must wait too */
    const char *last = "";
    uint32_t held_count = 0;
    int64_t n = 0;
    while (*at && held_count < 64) {
        struct record *r = *at;
        bool waits = is_busy(k, r->tie);
        for (uint32_t i = 0; i < held_count && !waits; i++)
            waits = *r->tie && str_eq(held[i], r->tie);
        if (waits) {
            held[held_count++] = r->tie;
            at = &r->next;
            continue;
        }
        if (n >= k->each && (k->each == 1 || !*r->tie || !str_eq(r->tie, last)))
            break; /* many at once: neighbours of one unit are not parted */
        *at = r->next;
        r->next = NULL;
        *end = r;
        end = &r->next;
        last = r->tie;
        k->waiting_count--;
        n++;
    }
    k->waiting_end = &k->waiting;
    while (*k->waiting_end)
        k->waiting_end = &(*k->waiting_end)->next;
    return first;
}

static enum err make_input(const struct record *records, int *ret_fd)
{
    BUF_AUTO struct buf text = {.bytes_max = 256u << 20};
    enum err e = ERR_OK;
    for (const struct record *r = records; r && e == ERR_OK; r = r->next)
        if ((e = buf_add_text(&text, r->text)) == ERR_OK)
            e = buf_add_char(&text, '\n');
    int fd = e == ERR_OK ? memfd_create("records", MFD_CLOEXEC) : -1;
    if (fd < 0)
        return e == ERR_OK ? err_set_errno(ERR_IO, "cannot make a program's input") : e;
    for (size_t at = 0; at < text.len;) {
        ssize_t n = write(fd, text.data + at, text.len - at);
        if (n < 0) {
            e = err_set_errno(ERR_IO, "cannot write a program's input");
            close(fd);
            return e;
        }
        at += (size_t)n;
    }
    lseek(fd, 0, SEEK_SET);
    *ret_fd = fd;
    return ERR_OK;
}

static void set_number(const char *name, long long v)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", v);
    setenv(name, text, 1);
}

static enum err start(struct consumer *k, struct job *job, struct record *records)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int fd = -1;
    enum err e = make_input(records, &fd);
    if (e != ERR_OK)
        return e;
    setenv("DUGNAD_STREAM", k->stream, 1);
    set_number("DUGNAD_SEQ", (long long)records->seq);
    set_number("DUGNAD_TIMES", records->times);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &k->outside);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    errno = posix_spawnp(&job->pid, k->argv[0], &actions, &attr, k->argv, environ);
    if (errno != 0) {
        job->pid = 0;
        e = err_set_errno(ERR_IO, "cannot start %s", k->argv[0]);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    close(fd);
    if (e == ERR_OK)
        k->running++;
    return e;
}

static enum err start_all(struct consumer *k)
{
    for (int64_t i = 0; i < k->jobs_max && k->waiting && !k->stop; i++) {
        if (k->jobs[i].pid)
            continue;
        k->jobs[i].records = take(k);
        if (!k->jobs[i].records)
            return ERR_OK;
        enum err e = start(k, &k->jobs[i], k->jobs[i].records);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

/* Later records of the same unit must not overtake one that failed. */
static enum err hold_back(struct consumer *k, const char *tie)
{
    enum err e = ERR_OK;
    for (struct record **at = &k->waiting; *tie && *at && e == ERR_OK;) {
        struct record *r = *at;
        if (!str_eq(r->tie, tie)) {
            at = &r->next;
            continue;
        }
        e = add_seq(&k->back, r->seq);
        *at = r->next;
        k->waiting_count--;
        record_free(r);
    }
    k->waiting_end = &k->waiting;
    while (*k->waiting_end)
        k->waiting_end = &(*k->waiting_end)->next;
    return e;
}

static enum err ended(struct consumer *k, struct job *job, int status)
{
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    enum err e = ERR_OK;
    if (!good)
        cli_say(k->c, "record %llu: %s ended with %s %d; it comes again in %lld s",
                (unsigned long long)job->records->seq, k->argv[0], WIFEXITED(status) ? "status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), (long long)k->retry_s);
    while (job->records && e == ERR_OK) {
        struct record *r = job->records;
        job->records = r->next;
        e = add_seq(good ? &k->done : &k->back, r->seq);
        if (e == ERR_OK && !good)
            e = hold_back(k, r->tie);
        k->handled += good;
        k->failed += !good;
        record_free(r);
    }
    job->pid = 0;
    k->running--;
    return e;
}

static enum err reap(struct consumer *k)
{
    enum err e = ERR_OK;
    for (int64_t i = 0; i < k->jobs_max && e == ERR_OK; i++) {
        int status;
        if (k->jobs[i].pid && waitpid(k->jobs[i].pid, &status, WNOHANG) == k->jobs[i].pid)
            e = ended(k, &k->jobs[i], status);
    }
    return e;
}

/* --- the loop --- */

/* Waits for a program's end, a wish to stop, or until it is time to look again. */
static void rest(struct consumer *k, int ms)
{
    sigset_t set;
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    int sig = sigtimedwait(&set, NULL, &t);
    k->stop = k->stop || sig == SIGINT || sig == SIGTERM;
}

static bool wants_more(const struct consumer *k)
{
    if (k->stop || k->waiting_count >= k->jobs_max * k->each)
        return false;
    return k->running == 0 ? k->waiting_count == 0
                           : !k->empty || clock_mono_ms() - k->asked_ms > LOOK_AGAIN_MS;
}

/* With nothing in hand a signal ends the program at once: whatever was on its way comes back after its lease.
 */
static enum err wait_for_more(struct consumer *k)
{
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, &k->outside, &blocked);
    enum err e = fetch(k, WAIT_S);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    return e;
}

static enum err turn(struct consumer *k)
{
    enum err e = reap(k);
    if (e == ERR_OK && (k->done.count + k->back.count > 0 ||
                        (k->running && clock_mono_ms() - k->renewed_ms > k->lease_s * 1000 / 3)))
        e = tell(k, false);
    if (e == ERR_OK && wants_more(k))
        e = k->running || k->once ? fetch(k, 0) : wait_for_more(k);
    if (e == ERR_OK)
        e = start_all(k);
    if (e == ERR_OK)
        rest(k, k->running ? REST_MS : 0);
    return e;
}

static bool is_over(const struct consumer *k)
{
    return k->running == 0 &&
           (k->stop || (k->once && k->empty && k->waiting_count == 0 && k->done.count + k->back.count == 0));
}

static void forget_all(struct consumer *k)
{
    while (k->waiting) {
        struct record *r = k->waiting;
        k->waiting = r->next;
        record_free(r);
    }
    for (int64_t i = 0; i < k->jobs_max; i++)
        while (k->jobs[i].records) {
            struct record *r = k->jobs[i].records;
            k->jobs[i].records = r->next;
            record_free(r);
        }
    free(k->done.list);
    free(k->back.list);
}

static void block_signals(struct consumer *k)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &k->outside);
}

static enum err consume(struct consumer *k)
{
    enum err e = ERR_OK;
    block_signals(k);
    while (e == ERR_OK && !is_over(k)) {
        e = turn(k);
        if (e != ERR_OK && err_retry(e)) { /* the server will come back, and knows what is out */
            cli_say(k->c, "%s; trying again in %d s", err_text(), AGAIN_MS / 1000);
            rest(k, AGAIN_MS);
            e = ERR_OK;
        }
    }
    char *why = e == ERR_OK ? NULL : arena_text(&k->c->arena, err_text());
    enum err released = tell(k, true); /* others need not wait for the lease to end */
    e = e == ERR_OK ? released : err_set(e, "%s", why ? why : "");
    forget_all(k);
    sigprocmask(SIG_SETMASK, &k->outside, NULL);
    return e;
}

static const struct cli_option options[] = {
    {"cursor", 'c', "NAME", "whose place in the stream: consumers of one cursor share the records", NULL,
     false},
    {"jobs", 'j', "N", "programs at once; default: 1", NULL, false},
    {"batch", 'b', "N", "up to N records for one program, a line each; default: 1", NULL, false},
    {"once", 0, NULL, "end when nothing is left, instead of waiting for more", NULL, false},
    {"lease", 0, "TIME", "who does not acknowledge nor renew within it is taken for dead; default: 60s", NULL,
     false},
    {"retry", 0, "TIME", "when a record comes again after its program failed; default: 10s", NULL, false},
    {"record", 0, NULL, "give the program the whole record as JSON, not only what was published", NULL,
     false},
};

static enum err read_args(const struct args *a, struct consumer *k)
{
    int64_t lease_ms = 0, retry_ms = 0;
    char nonce[33];
    enum err e;
    k->cursor = args_text(a, "cursor", NULL);
    if (!k->cursor || !str_is_name(k->cursor))
        return err_set(ERR_INVALID,
                       "--cursor NAME says whose place in the stream this is: small letters, digits, "
                       "dots, dashes and underlines");
    if (a->rest_count == 0)
        return err_set(ERR_INVALID, "no program: dugnad consume %s --cursor %s -- PROGRAM", a->words[0],
                       k->cursor);
    if ((e = args_i64(a, "jobs", 1, JOBS_MAX, 1, &k->jobs_max)) != ERR_OK ||
        (e = args_i64(a, "batch", 1, RECORDS_PER_REQUEST_MAX, 1, &k->each)) != ERR_OK ||
        (e = args_duration(a, "lease", LEASE_DEFAULT_S * 1000, &lease_ms)) != ERR_OK ||
        (e = args_duration(a, "retry", RETRY_DEFAULT_S * 1000, &retry_ms)) != ERR_OK)
        return e;
    k->lease_s = lease_ms / 1000 > 1 ? lease_ms / 1000 : 1;
    k->retry_s = retry_ms / 1000;
    if (k->lease_s > STREAM_LEASE_S_MAX || k->retry_s > STREAM_LEASE_S_MAX)
        return err_set(ERR_LIMIT, "--lease and --retry take %d s at most", STREAM_LEASE_S_MAX);
    api_key(nonce);
    snprintf(k->member, sizeof k->member, "%ld-%.16s", (long)getpid(), nonce);
    return ERR_OK;
}

static enum err run_cmd_consume(struct cli *c, const struct args *a)
{
    struct consumer *k = arena_alloc(&c->arena, sizeof *k);
    char **argv = arena_array(&c->arena, a->rest_count + 1, sizeof *argv);
    if (!k || !argv)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < a->rest_count; i++)
        argv[i] = (char *)(uintptr_t)a->rest[i];
    *k = (struct consumer){.c = c,
                           .stream = a->words[0],
                           .argv = argv,
                           .once = args_flag(a, "once"),
                           .json = args_flag(a, "record") || c->json};
    k->waiting_end = &k->waiting;
    enum err e = read_args(a, k);
    if (e == ERR_OK)
        e = consume(k);
    if (e == ERR_OK)
        cli_say(c, "%llu records done, %llu failed", (unsigned long long)k->handled,
                (unsigned long long)k->failed);
    return e;
}

CLI_COMMAND(
    cmd_consume, "consume", "STREAM", "run a program for each record of a stream",
    "The program reads the record on standard input; DUGNAD_STREAM, DUGNAD_SEQ and DUGNAD_TIMES say which "
    "it\n"
    "is and how often it was handed out. Status 0 acknowledges it; else it comes again. Each cursor gets "
    "each\n"
    "record at least once; what a consumer that dies had goes to another one of its cursor. Records of one\n"
    "work unit (or of one group) are handled one after the other, in order.\n\n"
    "  dugnad consume prime --cursor archive -- sh -c 'cat >> primes.txt'\n"
    "  dugnad consume hits --cursor mail -j 4 -- ./notify.py",
    options, 1, 1, true);
