/* house_status.c - what the daemon does and why, of all its projects */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "client/house_in.h"

/* What is said of the whole, where projects differ: the first of these that one of them is in. */
static const char *const order[] = {"running",           "fetching", "leaving",  "finishing",  "paused",
                                    "waiting_for_owner", "waiting",  "finished", "unreachable"};

static size_t place_of(const char *state)
{
    size_t i = 0;
    while (i < sizeof order / sizeof *order && !str_eq(order[i], state))
        i++;
    return i;
}

/* The projects as they are written, and of them what the whole says. */
static enum err write_projects(struct house *h, struct buf *out, char state[32], struct buf *sentence)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_array(&o, NULL);
    for (uint32_t i = 0; i < h->member_count; i++) {
        json_out_object(&o, NULL);
        act_status(h->members[i].act, &o);
        json_out_real(&o, "share", h->members[i].weight);
        json_out_close(&o);
    }
    json_out_close(&o);
    enum err e = json_out_end(&o);
    JSON_AUTO struct json_doc *doc = NULL;
    if (e == ERR_OK)
        e = json_parse(buf_text(out), out->len, JSON_BODY_BYTES_MAX, &doc);
    size_t best = SIZE_MAX;
    for (uint32_t i = 0; e == ERR_OK && i < h->member_count; i++) {
        const struct json *p = json_at(json_root(doc), i);
        const char *word = json_text(json_field(p, "state"));
        if (place_of(word) < best) {
            best = place_of(word);
            snprintf(state, 32, "%s", word);
        }
        e = buf_printf(sentence, "%s%s", i ? " " : "", json_text(json_field(p, "sentence")));
    }
    return e;
}

static int64_t sum_of(const struct json *projects, const char *key)
{
    int64_t sum = 0;
    for (size_t i = 0; i < json_count(projects); i++)
        sum += json_int(json_field(json_at(projects, i), key), 0);
    return sum;
}

static void write_sums(struct json_out *o, const struct json *projects)
{
    static const char *const sums[] = {"waiting",  "fetching",  "to_report",
                                       "ended_ok", "ended_bad", "cache_bytes"};
    static const char *const of_first[] = {"project", "url", "host", "volunteer", "problem"};
    for (size_t i = 0; i < sizeof of_first / sizeof *of_first; i++)
        json_out_string(o, of_first[i], json_text(json_field(json_at(projects, 0), of_first[i])));
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        json_out_i64(o, sums[i], sum_of(projects, sums[i]));
}

static void write_computer(struct house *h, struct json_out *o)
{
    uint64_t memory;
    int64_t cpu_ms;
    host_self(&memory, &cpu_ms);
    json_out_string(o, "version", DUGNAD_VERSION);
    json_out_u64(o, "cores", h->common.host.cores);
    json_out_u64(o, "cores_now", h->verdict.cores);
    json_out_bool(o, "in_use", h->verdict.in_use);
    json_out_string(o, "network", policy_network_text(h->verdict.network));
    json_out_u64(o, "moved_day_bytes", h->sample.moved_day);
    json_out_u64(o, "moved_month_bytes", h->sample.moved_month);
    json_out_string(o, "stopped_by", policy_reason_word(h->verdict.reason));
    json_out_u64(o, "memory_bytes", h->common.host.memory_bytes);
    json_out_real(o, "speed", h->common.host.speed);
    json_out_u64(o, "own_memory_bytes", memory);
    json_out_i64(o, "own_cpu_ms", cpu_ms);
}

enum err house_status(struct house *h, struct buf *out)
{
    BUF_AUTO struct buf projects = {0}, sentence = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    char state[32] = "left";
    struct json_out o;
    enum err e = write_projects(h, &projects, state, &sentence);
    if (e == ERR_OK)
        e = json_parse(buf_text(&projects), projects.len, JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "state", state);
    json_out_string(&o, "sentence", sentence.len ? buf_text(&sentence) : "Has left all projects.");
    write_sums(&o, json_root(doc));
    write_computer(h, &o);
    json_out_array(&o, "running");
    for (uint32_t i = 0; i < h->member_count; i++)
        act_status_running(h->members[i].act, &o);
    json_out_close(&o);
    json_out_raw(&o, "projects", buf_text(&projects), projects.len);
    json_out_close(&o);
    return json_out_end(&o);
}
