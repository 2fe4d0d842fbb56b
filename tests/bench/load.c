/* load.c - the load generator: plays many hosts against one server on loopback and says what it measured, as
 * one JSON line.
 *
 *   load noop --port P [--connections C] [--seconds S] [--path /healthz]
 *   load join --port P --hosts N --out FILE          makes N hosts of N owners, one token per line
 *   load work --port P --hosts-file FILE [--connections C] [--per-request K] [--seconds S] [--rate R]
 * [--until N] [--project FILE]
 *
 * --same-answer: all units have one answer, so that nearly no answer has to be stored.
 * --project: what GET /v1/project said. The units of one reply in 500 are proved as a client proves them,
 * from the root key down; one that is not ends the run.
 *
 * --rotate: all hosts of FILE take turns on the connections, each when it is due, and a report whose
 * reply did not come is told again; done_hosts is how many had one acknowledged.
 *
 *   load beat --port P --hosts-file FILE [--connections C] [--seconds S]
 *
 * A host that holds nothing and wants nothing: the way of `work` through the engine's queue, without a
 * commit.
 *
 *   --server PID: of a server on this machine, whose threads' CPU is looked at beside the generator's own.
 *
 *   load herd --port P --hosts-file FILE --hosts N [--connections C] [--seconds S] [--fresh|--hold]
 *
 * All come within a second, obey Retry-After, ask once each: over C connections that are used again, or,
 * --fresh, each over its own, C at most at a time, which is closed after the reply, or, --hold, when the
 * server closes it.
 *
 *   load tls --port P [--connections C] [--seconds S] [--resume]     a new connection for each request
 *   load idle --port P --connections C --seconds S
 *
 * Opens C connections, asks once on each, holds them. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/str.h"
#include "load_cpu.h"
#include "load_net.h"
#include "wire/order.h"
#include "wire/trust.h"
#include "wire/work_msg.h"

enum { CHECK_EVERY = 500 /* replies with units, one is proved */ };
enum { ATTEMPT_TEXT_BYTES = 40, TOKEN_TEXT_BYTES = 128, FEED_EVERY_US = 5000 };

struct player {
    char token[TOKEN_TEXT_BYTES];
    uint32_t held_count;
    char (*held)[ATTEMPT_TEXT_BYTES];
    int64_t due_us; /* not before */
    bool done;
};

struct load {
    struct load_net net;
    const char *mode, *path, *hosts_file, *out_file, *project_file;
    uint16_t port;
    uint32_t connections, per_request, hosts;
    double seconds, rate;
    uint64_t until;
    bool resume, fresh, hold, same_answer, rotate;
    struct player *players;
    uint32_t player_count, next_player, done_players;
    FILE *out;
    int64_t start_us, end_us, last_ok_us;
    uint64_t replies, failures, turned_away, acked, leased, early;
    uint32_t outstanding;
    struct load_hist hist;
    struct rand_seeded rand;
    bool stopping;
    struct trust *trust; /* of --project: units of some replies are proved as a client does */
    uint64_t with_units, proved;
    uint32_t server_pid;
    bool counting; /* CPU: since every connection had its first answers */
    struct load_cpu cpu;
    uint64_t replies_before;
};

static void usage(void)
{
    fputs(
        "usage: load noop|join|work|beat|herd|tls|idle --port P [--connections C] [--seconds S] [--hosts N]\n"
        "  [--hosts-file FILE] [--out FILE] [--per-request K] [--rate R] [--until N] [--path P]  "
        "[--resume] [--fresh|--hold] [--rotate] [--same-answer] [--project FILE] [--server PID]\n",
        stderr);
    exit(2);
}

static uint32_t number(const char *flag, const char *text)
{
    uint64_t v;
    if (str_to_u64(text, 100000000, &v) != ERR_OK) {
        fprintf(stderr, "load: %s: %s\n", flag, err_text());
        exit(2);
    }
    return (uint32_t)v;
}

static void take_flag(struct load *l, const char *flag, const char *value)
{
    if (str_eq(flag, "--port"))
        l->port = (uint16_t)number(flag, value);
    else if (str_eq(flag, "--connections"))
        l->connections = number(flag, value);
    else if (str_eq(flag, "--seconds"))
        l->seconds = atof(value);
    else if (str_eq(flag, "--hosts"))
        l->hosts = number(flag, value);
    else if (str_eq(flag, "--hosts-file"))
        l->hosts_file = value;
    else if (str_eq(flag, "--out"))
        l->out_file = value;
    else if (str_eq(flag, "--per-request"))
        l->per_request = number(flag, value);
    else if (str_eq(flag, "--rate"))
        l->rate = atof(value);
    else if (str_eq(flag, "--until"))
        l->until = number(flag, value);
    else if (str_eq(flag, "--server"))
        l->server_pid = number(flag, value);
    else if (str_eq(flag, "--project"))
        l->project_file = value;
    else if (str_eq(flag, "--path"))
        l->path = value;
    else
        usage();
}

static void parse(struct load *l, int argc, char **argv)
{
    *l = (struct load){.mode = argc > 1 ? argv[1] : "",
                       .path = "/healthz",
                       .connections = 64,
                       .per_request = 1,
                       .seconds = 5};
    for (int i = 2; i < argc; i++) {
        if (str_eq(argv[i], "--resume")) {
            l->resume = true;
        } else if (str_eq(argv[i], "--same-answer")) {
            l->same_answer = true;
        } else if (str_eq(argv[i], "--rotate")) {
            l->rotate = true;
        } else if (str_eq(argv[i], "--fresh")) {
            l->fresh = true;
        } else if (str_eq(argv[i], "--hold")) {
            l->fresh = l->hold = true;
        } else {
            if (i + 1 == argc)
                usage();
            take_flag(l, argv[i], argv[i + 1]);
            i++;
        }
    }
    if (l->port == 0 || l->connections == 0 || l->per_request == 0 || l->per_request > LEASES_PER_REQUEST_MAX)
        usage();
    rand_seed(&l->rand, 1);
}

static void check(enum err e)
{
    if (e != ERR_OK) {
        fprintf(stderr, "load: %s\n", err_text());
        exit(1);
    }
}

static void read_hosts(struct load *l)
{
    char line[TOKEN_TEXT_BYTES];
    FILE *f = l->hosts_file ? fopen(l->hosts_file, "r") : NULL;
    if (!f) {
        fprintf(stderr, "load: --hosts-file %s cannot be read: make it with `load join`\n",
                l->hosts_file ? l->hosts_file : "(none)");
        exit(2);
    }
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if ((l->player_count & (l->player_count - 1)) == 0) {
            size_t room = l->player_count ? 2 * (size_t)l->player_count : 1;
            l->players = realloc(l->players, room * sizeof *l->players);
        }
        l->players[l->player_count] = (struct player){0};
        snprintf(l->players[l->player_count++].token, TOKEN_TEXT_BYTES, "%s", line);
    }
    fclose(f);
}

/* Each unit has an answer of its own, the same from whoever is asked. */
static void add_outputs(const struct load *l, const char *attempt, struct buf *out)
{
    char answer[ATTEMPT_TEXT_BYTES + 8], digest[DIGEST_TEXT_BYTES];
    BUF_AUTO struct buf data = {0};
    int unit = l->same_answer ? 0 : (int)(strrchr(attempt, '.') - attempt);
    size_t len = (size_t)snprintf(answer, sizeof answer, "42 %.*s\n", unit, attempt);
    struct digest d = hash_bytes(answer, len);
    digest_text(&d, digest);
    check(str_base64(answer, len, &data));
    check(buf_printf(out, "[{\"path\":\"out\",\"sha256\":\"%s\",\"bytes\":%zu,\"data\":\"%s\"}]", digest, len,
                     buf_text(&data)));
}

static void head(struct load_conn *c, const char *method, const char *path, const char *token, size_t body)
{
    buf_clear(&c->out);
    check(buf_printf(&c->out, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
                     method, path));
    if (token)
        check(buf_printf(&c->out, "Authorization: Bearer %s\r\n", token));
    if (body)
        check(buf_printf(&c->out, "Content-Length: %zu\r\n", body));
    check(buf_add_text(&c->out, "\r\n"));
}

static void ask_get(struct load *l, struct load_conn *c)
{
    head(c, "GET", l->path, NULL, 0);
    load_send(c);
}

static void ask_join(struct load *l, struct load_conn *c)
{
    static const char body[] =
        "{\"host\":{\"platform\":\"x86_64-linux\",\"os\":\"linux\",\"cores\":4,\"memory_bytes\":8589934592,"
        "\"disk_bytes\":107374182400,\"features\":[],\"client\":\"0.1.0\"}}";
    (void)l;
    head(c, "POST", "/v1/hosts", NULL, sizeof body - 1);
    check(buf_add_text(&c->out, body));
    load_send(c);
}

static void ask_work(struct load *l, struct load_conn *c, struct player *p)
{
    BUF_AUTO struct buf body = {0};
    check(buf_add_text(&body, "{\"reports\":["));
    for (uint32_t i = 0; i < p->held_count; i++) {
        check(buf_printf(&body, "%s{\"attempt\":\"%s\",\"outcome\":\"ok\",\"outputs\":", i ? "," : "",
                         p->held[i]));
        add_outputs(l, p->held[i], &body);
        check(buf_add_text(&body, ",\"usage\":{\"cpu_ms\":5,\"wall_ms\":5,\"memory_bytes\":1000000}}"));
    }
    check(buf_add_text(&body, "],\"held\":[]"));
    if (!l->stopping && !str_eq(l->mode, "beat"))
        check(buf_printf(&body, ",\"want\":{\"seconds\":86400,\"cores\":4,\"units_max\":%u,\"cached\":[]}",
                         l->per_request));
    check(buf_add_text(&body, "}"));
    head(c, "POST", "/v1/work", p->token, body.len);
    check(buf_add(&c->out, body.data, body.len));
    load_send(c);
}

static uint32_t count_text(const char *from, const char *to, const char *what)
{
    uint32_t n = 0;
    for (const char *at = strstr(from, what); at && at < to; at = strstr(at + 1, what))
        n++;
    return n;
}

static void take_units(struct load *l, struct player *p, const char *body)
{
    static const char key[] = "\"attempt\":\"";
    const char *units = strstr(body, "\"units\":[");
    const char *end = body + strlen(body);
    uint32_t acked = count_text(body, units ? units : end, "\"code\":\"ok\"");
    l->acked += acked;
    if (l->rotate && acked && !p->done) {
        p->done = true;
        l->done_players++;
    }
    p->held_count = 0;
    for (const char *at = units ? strstr(units, key) : NULL; at; at = strstr(at, key)) {
        at += sizeof key - 1;
        size_t len = strcspn(at, "\"");
        if (p->held_count == l->per_request || len >= ATTEMPT_TEXT_BYTES)
            break;
        if (!memchr(at, '.', len))
            break; /* no attempt's name */
        memcpy(p->held[p->held_count], at, len);
        p->held[p->held_count++][len] = 0;
    }
    l->leased += p->held_count;
}

static enum err prove_unit(const struct load *l, const struct work_reply *r, const struct work_unit *u,
                           struct arena *a)
{
    struct spec spec;
    struct digest order;
    for (uint32_t i = 0; i < r->chunk_count; i++) {
        if (!str_eq(r->chunks[i].name, u->chunk))
            continue;
        struct unit_proof proof = {.spec = u->spec,
                                   .spec_len = u->spec_len,
                                   .chunk = r->chunks[i].envelope,
                                   .chunk_len = r->chunks[i].envelope_len,
                                   .index = u->index,
                                   .path = u->path,
                                   .path_len = u->path_len,
                                   .unit = u->id.unit};
        return unit_verify(&proof, &l->trust->root.work, &l->trust->project_key, a, &spec, &order);
    }
    return err_set(ERR_UNTRUSTED, "a unit without the statement of its chunk");
}

/* Every unit of one reply in so many is proved to be the project's; it costs three requests' time. */
static void check_reply(struct load *l, const struct load_reply *r)
{
    ARENA_AUTO struct arena a = {0};
    struct work_reply reply;
    if (!l->trust || l->with_units++ % CHECK_EVERY != 0)
        return;
    check(work_reply_parse(r->body, r->len, &a, &reply));
    for (uint32_t i = 0; i < reply.unit_count; i++)
        if (reply.units[i].spec)
            check(prove_unit(l, &reply, &reply.units[i], &a));
    l->proved += reply.unit_count;
}

static void read_project(struct load *l)
{
    BUF_AUTO struct buf said = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    struct digest key;
    check(file_read(l->project_file, JSON_BODY_BYTES_MAX, &said));
    check(json_parse(buf_text(&said), said.len, JSON_BODY_BYTES_MAX, &doc));
    const char *text = json_text(json_field(json_root(doc), "project_key"));
    check(digest_parse(text ? text : "", &key));
    l->trust = calloc(1, sizeof *l->trust);
    check(l->trust ? ERR_OK : ERR_NOMEM);
    trust_init(l->trust, &key);
    check(trust_add_project(l->trust, buf_text(&said), said.len, clock_wall_ms()));
}

static void next(struct load *l, struct load_conn *c);

static void count_reply(struct load *l, const struct load_reply *r)
{
    l->replies++;
    l->outstanding--;
    if (r->status == 503 || r->status == 429 || r->status == 507)
        l->turned_away++;
    else if (r->status < 200 || r->status > 299) {
        if (l->failures++ == 0)
            fprintf(stderr, "load: first failure: %d %.*s\n", r->status, (int)(r->len < 300 ? r->len : 300),
                    r->body);
    } else {
        load_hist_add(&l->hist, r->took_us);
        l->last_ok_us = load_now_us();
    }
}

static void save_token(struct load *l, const struct load_reply *r)
{
    static const char key[] = "\"token\":\"";
    const char *at = strstr(r->body, key);
    if (!at)
        return;
    at += sizeof key - 1;
    fprintf(l->out, "%.*s\n", (int)strcspn(at, "\""), at);
    l->leased++;
}

static void on_reply(struct load_conn *c, const struct load_reply *r)
{
    struct load *l = c->net->user;
    struct player *p = c->user;
    bool ok = r->status >= 200 && r->status <= 299;
    count_reply(l, r);
    if (ok && str_eq(l->mode, "join"))
        save_token(l, r);
    if (p && ok) {
        take_units(l, p, r->body);
        if (p->held_count)
            check_reply(l, r);
        if (str_eq(l->mode, "herd")) {
            p->done = true;
            l->done_players++;
        }
    }
    if (p && !ok) {
        int64_t wait_us = (r->retry_after_s > 0 ? r->retry_after_s : 1) * (int64_t)1000000;
        p->due_us = load_now_us() + wait_us + (int64_t)rand_seeded_below(&l->rand, (uint64_t)wait_us);
    }
    if (p && l->rotate && ok)
        p->due_us = load_now_us();
    if (p && ok && l->leased && p->held_count == 0 && str_eq(l->mode, "work"))
        p->due_us = load_now_us() + (l->rotate ? 1000000 : 20000); /* nothing to be had: do not spin */
    if ((l->rate <= 0 && !l->fresh) || l->stopping)
        next(l, c);
}

static void on_broken(struct load_conn *c, const char *why)
{
    struct load *l = c->net->user;
    struct player *p = c->user;
    if (l->failures++ == 0)
        fprintf(stderr, "load: first broken connection: %s\n", why);
    l->outstanding--;
    if (p)
        p->due_us = load_now_us() + 1000000 + (int64_t)rand_seeded_below(&l->rand, 1000000);
}

/* Who still has to be heard: in the end only those that hold something. */
static bool is_wanted(const struct load *l, const struct player *p)
{
    return l->rotate ? !l->stopping || p->held_count > 0 : !p->done;
}

/* The next player that is due, round and round; NULL when none is. */
static struct player *due_player(struct load *l, struct load_conn *c)
{
    int64_t now = load_now_us();
    struct player *own = c->user;
    if (!str_eq(l->mode, "herd") && !l->rotate)
        return own && own->due_us <= now ? own : NULL;
    for (uint32_t tries = 0; tries < 64; tries++) {
        struct player *p = &l->players[l->next_player++ % l->player_count];
        if (is_wanted(l, p) && p->due_us <= now) {
            p->due_us = INT64_MAX; /* asked, no answer yet */
            return p;
        }
    }
    return NULL;
}

static void next(struct load *l, struct load_conn *c)
{
    struct player *p = NULL;
    if (load_now_us() >= l->end_us || (l->until && l->acked >= l->until))
        l->stopping = true;
    if (l->stopping && !l->rotate &&
        !(str_eq(l->mode, "work") && c->user && ((struct player *)c->user)->held_count))
        return;
    if (l->players) {
        p = due_player(l, c);
        if (!p)
            return;
        c->user = p;
    }
    if (str_eq(l->mode, "join") && l->leased + l->outstanding >= l->hosts)
        return;
    if (str_eq(l->mode, "idle") && l->replies >= l->connections)
        return;
    l->outstanding++;
    if (p)
        ask_work(l, c, p);
    else if (str_eq(l->mode, "join"))
        ask_join(l, c);
    else
        ask_get(l, c);
}

static void give_players(struct load *l)
{
    read_hosts(l);
    if (str_eq(l->mode, "herd") && l->hosts && l->hosts < l->player_count)
        l->player_count = l->hosts;
    if (!str_eq(l->mode, "herd") && !l->rotate && l->connections > l->player_count) {
        fprintf(stderr, "load: %u connections but %s has %u hosts: one host per connection\n", l->connections,
                l->hosts_file, l->player_count);
        exit(2);
    }
    if (l->project_file)
        read_project(l);
    for (uint32_t i = 0; i < l->player_count; i++) {
        l->players[i].held = calloc(l->per_request, ATTEMPT_TEXT_BYTES);
        l->players[i].due_us =
            str_eq(l->mode, "herd") ? l->start_us + (int64_t)rand_seeded_below(&l->rand, 1000000) : 0;
    }
    for (uint32_t i = 0; i < l->connections && !l->rotate && !str_eq(l->mode, "herd"); i++)
        l->net.conns[i].user = &l->players[i];
}

/* Starts what is idle: all of it at once, or at most the given rate. */
static void feed(struct load *l, int64_t now)
{
    double allowed = l->rate > 0
                         ? (double)(now - l->start_us) * l->rate / 1e6 - (double)(l->replies + l->outstanding)
                         : (double)l->connections;
    for (uint32_t i = 0; i < l->connections && allowed >= 1; i++) {
        struct load_conn *c = &l->net.conns[(i + l->replies) % l->connections];
        if (c->state != LOAD_CLOSED && (c->state != LOAD_IDLE || l->fresh))
            continue;
        uint32_t before = l->outstanding;
        next(l, c);
        if (l->outstanding > before)
            allowed -= 1;
    }
}

static bool finished(const struct load *l)
{
    if (str_eq(l->mode, "join"))
        return l->leased >= l->hosts;
    if (str_eq(l->mode, "herd") && l->done_players == l->player_count)
        return true;
    for (uint32_t i = 0; i < l->player_count && l->rotate && l->stopping; i++)
        if (l->players[i].held_count)
            return false;
    return l->stopping && l->outstanding == 0;
}

static void print_result(const struct load *l, double took_s)
{
    printf("{\"mode\":\"%s\",\"connections\":%u,\"per_request\":%u,\"seconds\":%.3f,\"replies\":%" PRIu64
           ",\"per_second\":%.1f,\"acked\":%" PRIu64 ",\"leased\":%" PRIu64
           ",\"pairs_per_second\":%.1f,\"turned_away\":%" PRIu64 ",\"failures\":%" PRIu64
           ",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"handshakes\":%" PRIu64 ",\"resumed\":%" PRIu64
           ",\"done_hosts\":%u,\"broken\":%" PRIu64 ",\"proved\":%" PRIu64 ",",
           l->mode, l->connections, l->per_request, took_s, l->replies, (double)l->replies / took_s, l->acked,
           l->leased, (double)l->acked / took_s, l->turned_away, l->failures, load_hist_ms(&l->hist, 0.5),
           load_hist_ms(&l->hist, 0.99), (double)l->hist.max_us / 1000, l->net.handshakes, l->net.resumed,
           l->done_players, l->net.broken, l->proved);
    struct load_cpu now;
    load_cpu_take(l->server_pid, &now);
    load_cpu_print(&l->cpu, &now, l->replies - l->replies_before, stdout);
    puts("}");
}

/* Handshakes are not part of what a request costs. */
static void begin_counting(struct load *l)
{
    l->counting = true;
    l->replies_before = l->replies;
    load_cpu_take(l->server_pid, &l->cpu);
}

static void run(struct load *l)
{
    int64_t hard_end = l->end_us + 30 * (int64_t)1000000;
    int64_t fed_us = 0;
    while (!finished(l)) {
        int64_t now = load_now_us();
        if (now > hard_end)
            break;
        if (now >= l->end_us)
            l->stopping = true;
        if (!l->fresh || now - fed_us >= FEED_EVERY_US) {
            feed(l, now);
            fed_us = now;
        }
        load_poll(&l->net, l->rate > 0 ? 1 : 5);
        if (!l->counting && !l->net.close_each && !str_eq(l->mode, "herd") &&
            l->replies >= 2 * (uint64_t)l->connections)
            begin_counting(l);
    }
}

int main(int argc, char **argv)
{
    struct load l;
    parse(&l, argc, argv);
    signal(SIGPIPE, SIG_IGN); /* a server may close a connection at any time */
    if (!load_net_init(&l.net, "127.0.0.1", l.port, l.connections, l.resume)) {
        fprintf(stderr, "load: cannot set up TLS\n");
        return 1;
    }
    l.net.user = &l;
    l.net.on_reply = on_reply;
    l.net.on_broken = on_broken;
    l.net.close_each = str_eq(l.mode, "tls") || (l.fresh && !l.hold);
    l.start_us = load_now_us();
    l.end_us = l.start_us + (int64_t)(l.seconds * 1e6);
    if (str_eq(l.mode, "join")) {
        l.out = l.out_file ? fopen(l.out_file, "w") : NULL;
        l.end_us = INT64_MAX / 2;
        if (!l.out)
            usage();
    } else if (str_eq(l.mode, "work") || str_eq(l.mode, "beat") || str_eq(l.mode, "herd")) {
        give_players(&l);
    } else if (!str_eq(l.mode, "noop") && !str_eq(l.mode, "tls") && !str_eq(l.mode, "idle")) {
        usage();
    }
    load_cpu_take(l.server_pid, &l.cpu);
    run(&l);
    double took_s =
        (double)((str_eq(l.mode, "work") || str_eq(l.mode, "herd") ? l.last_ok_us : load_now_us()) -
                 l.start_us) /
        1e6;
    print_result(&l, took_s > 0 ? took_s : 1e-6);
    if (l.out)
        fclose(l.out);
    for (uint32_t i = 0; i < l.player_count; i++)
        free(l.players[i].held);
    free(l.players);
    free(l.trust);
    load_net_done(&l.net);
    return l.failures ? 1 : 0;
}
