/* submit_try.c - the first unit of a submission, run here before thousands are sent, and what all of them
 * would take */
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/submit.h"

/* The hosts that called within the hour. */
struct crowd {
    uint64_t hosts, cores;
    bool known;
};

static enum err count_host(void *ctx, const struct json *host)
{
    struct crowd *crowd = ctx;
    int64_t cores = json_int(json_field(host, "cores"), 1);
    crowd->hosts++;
    crowd->cores += cores > 0 ? (uint64_t)cores : 0;
    return ERR_OK;
}

/* An estimate is no reason to fail: without a server it is left out. */
static void ask(struct submit *s, struct crowd *ret)
{
    *ret = (struct crowd){0};
    if (args_flag(s->args, "bundle") && api_open(s->cli) != ERR_OK)
        return;
    ret->known = api_pages(s->cli, "/v1/hosts?state=active", 0, count_host, ret) == ERR_OK;
}

/* Rounds of as many units as there are places; each takes as long as one. */
static int64_t takes_ms(uint64_t units, uint64_t places, int64_t each_ms)
{
    uint64_t rounds = (units + places - 1) / places;
    return (int64_t)((double)rounds * (double)each_ms);
}

struct estimate {
    uint64_t units, copies_least, copies_most, cores_here;
    struct crowd crowd;
    int64_t cpu_ms, wall_ms, here_ms, least_ms, most_ms;
    uint64_t output_bytes, memory_bytes;
};

/* A quorum computes so often; a trusted host's answer counts alone, a new host's twice. */
static void reckon(struct submit *s, const struct local_result *r, struct estimate *e)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const struct batch_rules *rules = &s->request.rules;
    e->units = s->units.count;
    e->copies_least = rules->min_quorum ? rules->min_quorum : 1;
    e->copies_most = rules->min_quorum ? rules->min_quorum : rules->policy == BATCH_POLICY_ONCE ? 1 : 2;
    e->cores_here = cores > 0 ? (uint64_t)cores : 1;
    e->cpu_ms = (int64_t)((double)r->outcome.usage.cpu_ms * (double)e->units);
    e->wall_ms = r->outcome.usage.wall_ms;
    e->output_bytes = r->output_bytes * e->units;
    e->memory_bytes = r->outcome.usage.memory_bytes_max;
    e->here_ms = takes_ms(e->units, e->cores_here, e->wall_ms);
    ask(s, &e->crowd);
    if (!e->crowd.cores)
        return;
    e->least_ms = takes_ms(e->units * e->copies_least, e->crowd.cores, e->wall_ms);
    e->most_ms = 2 * takes_ms(e->units * e->copies_most, e->crowd.cores, e->wall_ms);
}

static bool own_wins(const struct estimate *e)
{
    return !e->crowd.known || e->crowd.cores == 0 || e->here_ms <= e->least_ms || e->here_ms < 60000;
}

static enum err tell_json(struct cli *c, const struct estimate *e)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_u64(&o, "units", e->units);
    json_out_i64(&o, "cpu_ms", e->cpu_ms);
    json_out_u64(&o, "output_bytes", e->output_bytes);
    json_out_u64(&o, "memory_bytes", e->memory_bytes);
    json_out_u64(&o, "cores_here", e->cores_here);
    json_out_i64(&o, "here_ms", e->here_ms);
    if (e->crowd.known) {
        json_out_u64(&o, "hosts", e->crowd.hosts);
        json_out_u64(&o, "cores", e->crowd.cores);
    }
    if (e->crowd.cores) {
        json_out_i64(&o, "grid_ms_least", e->least_ms);
        json_out_i64(&o, "grid_ms_most", e->most_ms);
    }
    json_out_bool(&o, "own_machine", own_wins(e));
    json_out_close(&o);
    enum err err = json_out_end(&o);
    if (err == ERR_OK)
        fprintf(c->out, "%s\n", buf_text(&text));
    return err;
}

static void tell(struct cli *c, const struct estimate *e)
{
    char cpu[32], size[32], memory[32], here[32], least[32], most[32];
    str_from_bytes(e->memory_bytes, memory, sizeof memory);
    str_from_duration_ms(e->cpu_ms, cpu, sizeof cpu);
    str_from_bytes(e->output_bytes, size, sizeof size);
    str_from_duration_ms(e->here_ms, here, sizeof here);
    str_from_duration_ms(e->least_ms, least, sizeof least);
    str_from_duration_ms(e->most_ms, most, sizeof most);
    fprintf(c->out,
            "All %llu units, if they are like the first: %s of CPU for each copy, %s of memory while one "
            "runs, %s of "
            "answers.\n",
            (unsigned long long)e->units, cpu, memory, size);
    if (e->crowd.cores)
        fprintf(c->out, "On the %llu hosts of today with %llu cores: %s to %s, in %llu to %llu copies.\n",
                (unsigned long long)e->crowd.hosts, (unsigned long long)e->crowd.cores, least, most,
                (unsigned long long)e->copies_least, (unsigned long long)e->copies_most);
    else if (e->crowd.known)
        fprintf(c->out, "No host has called within the hour: nobody would compute it now.\n");
    fprintf(c->out, "On this machine with %llu cores: %s.\n", (unsigned long long)e->cores_here, here);
    if (own_wins(e))
        fprintf(c->out, "Run it on your own machine: the same command with --local instead of --dry-run.\n");
}

enum err submit_try(struct submit *s)
{
    struct arena *a = &s->cli->arena;
    struct local_result *result = arena_alloc(a, sizeof *result);
    struct submit_app *app = arena_alloc(a, sizeof *app);
    struct local_job job;
    struct estimate estimate = {0};
    if (!result || !app)
        return ERR_NOMEM;
    enum err e = submit_app_open(s, app);
    if (e == ERR_OK)
        e = submit_job(s, app, 0, a, &job);
    if (e == ERR_OK)
        e = local_run(s->cli, &job, result);
    if (e == ERR_OK)
        e = local_tell(s->cli, result);
    if (e == ERR_OK && result->outcome.end == RUN_END_OK && !*result->problem) {
        reckon(s, result, &estimate);
        if (s->cli->json)
            e = tell_json(s->cli, &estimate);
        else
            tell(s->cli, &estimate);
    }
    submit_app_done(app);
    return e;
}
