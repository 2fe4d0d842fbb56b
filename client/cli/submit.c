/* submit.c - see submit.h */
#include "client/cli/submit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "client/cli/blob.h"
#include "client/cli/parts.h"
#include "wire/order.h"

enum { BUCKETS = 65536 };
#define FILES_BYTES_MAX (1u << 30)

struct submit_file {
    struct submit_file *next;
    const char *path;
    struct digest digest;
    uint64_t bytes;
    bool uploaded;
};

static uint32_t bucket(const char *path)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *path; path++)
        h = (h ^ (unsigned char)*path) * 16777619u;
    return h % BUCKETS;
}

static enum err know(struct submit *s, const char *path, struct submit_file **ret)
{
    uint32_t b = bucket(path);
    for (struct submit_file *f = s->files[b]; f; f = f->next) {
        if (str_eq(f->path, path)) {
            *ret = f;
            return ERR_OK;
        }
    }
    struct submit_file *f = arena_alloc(&s->files_arena, sizeof *f);
    if (!f || !(f->path = arena_text(&s->files_arena, path)))
        return ERR_NOMEM;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(ERR_INVALID,
                       "%.200s is a folder: name its files one by one, or take it along as a tar archive",
                       path);
    enum err e = hash_file(path, &f->digest, &f->bytes);
    if (e != ERR_OK)
        return e;
    f->next = s->files[b];
    s->files[b] = *ret = f;
    return ERR_OK;
}

static void progress(void *ctx, uint64_t done, uint64_t bytes)
{
    struct submit *s = ctx;
    char text[96], size[32];
    str_from_bytes(s->uploaded_bytes + done, size, sizeof size);
    snprintf(text, sizeof text, "uploading: %s, %llu files before this one, which is at %d %%", size,
             (unsigned long long)s->uploaded_files, bytes ? (int)((double)done / (double)bytes * 100) : 100);
    show_bar_draw(&s->bar, -1, text, clock_mono_ms());
}

enum err submit_file(struct submit *s, const char *path, bool upload, struct file_ref *ret)
{
    struct submit_file *f = NULL;
    enum err e = know(s, path, &f);
    if (e != ERR_OK)
        return e;
    if (upload && !f->uploaded) {
        e = blob_put(s->cli, path, &f->digest, f->bytes, progress, s, NULL);
        s->uploaded_bytes += f->bytes;
        s->uploaded_files++;
        f->uploaded = e == ERR_OK;
    }
    ret->sha256 = f->digest;
    ret->bytes = f->bytes;
    return e;
}

static enum err fill(const char *text, const struct variable *vars, uint32_t count, struct arena *a,
                     const char **ret)
{
    BUF_AUTO struct buf out = {0};
    enum err e = template_fill(text, vars, count, &out);
    if (e == ERR_OK && !(*ret = arena_text(a, buf_text(&out))))
        e = ERR_NOMEM;
    return e;
}

/* The files of one unit: its own, then those of --input with {NAME}. */
static enum err unit_inputs(struct submit *s, const char *file, const struct variable *vars,
                            uint32_t var_count, bool upload, struct arena *a, struct unit_line *u)
{
    uint32_t room = s->template_count + 1;
    enum err e = ERR_OK;
    if (!(u->inputs = arena_array(a, room, sizeof *u->inputs)))
        return ERR_NOMEM;
    if (file) {
        u->inputs[0].path = vars[var_count - 3].value; /* units_vars() gives "", name, stem last */
        e = submit_file(s, file, upload, &u->inputs[0]);
        u->input_count = 1;
    }
    for (uint32_t i = 0; i < s->template_count && e == ERR_OK; i++) {
        const char *text = NULL, *from = NULL;
        struct file_ref *in = &u->inputs[u->input_count];
        if ((e = fill(s->templates[i], vars, var_count, a, &text)) == ERR_OK &&
            (e = parts_file("input", text, a, &from, &in->path)) == ERR_OK)
            e = submit_file(s, from, upload, in);
        u->input_count++;
    }
    return e;
}

/* The right answer of a unit, if all its files are there: some of them alone are an oversight. */
static enum err unit_known(struct submit *s, const struct variable *vars, uint32_t var_count, bool upload,
                           struct arena *a, struct unit_line *u)
{
    const char *text = NULL, *from = NULL, *there = NULL, *missing = NULL;
    enum err e = ERR_OK;
    if (!(u->known = arena_array(a, s->known_templates + 1, sizeof *u->known)))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < s->known_templates && e == ERR_OK; i++) {
        struct file_ref *out = &u->known[u->known_count];
        if ((e = fill(s->known[i], vars, var_count, a, &text)) != ERR_OK ||
            (e = parts_file("known", text, a, &from, &out->path)) != ERR_OK)
            break;
        if (access(from, F_OK) != 0) {
            missing = from;
            continue;
        }
        there = from;
        u->known_count++;
        e = submit_file(s, from, upload, out);
    }
    if (e == ERR_OK && there && missing)
        e = err_set(ERR_MISSING,
                    "--known: %.200s is there but %.200s is not: an answer is known whole or not", there,
                    missing);
    s->known_units += upload && u->known_count > 0;
    return e;
}

/* name and stem go along only where the command uses them: every byte here is stored for every unit. */
static uint32_t needed_vars(const struct submit *s, struct variable *vars, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool extra = s->units.kind == UNITS_FILES && i + 2 >= count;
        if (!extra || units_uses(s->request.command, s->request.command_count, vars[i].name))
            vars[n++] = vars[i];
    }
    return n;
}

enum err submit_line(struct submit *s, uint64_t i, bool upload, struct buf *out)
{
    ARENA_AUTO struct arena a = {0};
    struct variable vars[UNITS_VARS_MAX];
    struct unit_line u = {.vars = vars};
    const char *file;
    uint32_t count = 0;
    enum err e = units_vars(&s->units, i, &a, vars, &count, &file);
    if (e == ERR_OK)
        e = unit_inputs(s, file, vars, count, upload, &a, &u);
    if (e == ERR_OK)
        e = unit_known(s, vars, count, upload, &a, &u);
    u.var_count = needed_vars(s, vars, count);
    if (e == ERR_OK)
        e = template_check(s->request.command, s->request.command_count, vars, u.var_count);
    if (e == ERR_OK && (e = unit_line_write(&u, out)) == ERR_OK)
        e = buf_add_char(out, '\n');
    return e;
}

/* --input: for all units, or a template for each. */
static enum err sort_inputs(struct submit *s)
{
    uint32_t count = args_count(s->args, "input");
    struct arena *a = &s->cli->arena;
    struct file_ref *shared = arena_array(a, count + 1, sizeof *shared);
    const char *text, *from;
    enum err e = ERR_OK;
    s->templates = arena_array(a, count + 1, sizeof *s->templates);
    if (!shared || !s->templates)
        return ERR_NOMEM;
    s->request.inputs = shared;
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(s->args, "input", i)); i++) {
        if (strchr(text, '{')) {
            s->templates[s->template_count++] = text;
            continue;
        }
        struct file_ref *ref = &shared[s->request.input_count++];
        if ((e = parts_file("input", text, a, &from, &ref->path)) == ERR_OK)
            e = submit_file(s, from, false, ref);
    }
    if (e == ERR_OK && count + 1 > WU_INPUTS_MAX)
        e = err_set(ERR_LIMIT, "more than %d inputs: pack them into one archive", WU_INPUTS_MAX - 1);
    return e;
}

static enum err read_known(struct submit *s)
{
    uint32_t count = args_count(s->args, "known");
    const char *text;
    if (!(s->known = arena_array(&s->cli->arena, count + 1, sizeof *s->known)))
        return ERR_NOMEM;
    for (uint32_t i = 0; (text = args_each(s->args, "known", i)); i++) {
        if (!strchr(text, '{'))
            return err_set(ERR_INVALID,
                           "--known %.200s has no {NAME} in it: each unit has an answer of its own", text);
        s->known[s->known_templates++] = text;
    }
    return count > WU_OUTPUTS_MAX ? err_set(ERR_LIMIT, "more than %d outputs with --known", WU_OUTPUTS_MAX)
                                  : ERR_OK;
}

/* --retry CAUSE=WAIT:TRIES */
static enum err read_retry(const struct args *a, struct batch_rules *r)
{
    const char *text;
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(a, "retry", i)); i++) {
        char cause[16];
        const char *equals = strchr(text, '=');
        size_t len = equals ? (size_t)(equals - text) : strlen(text);
        snprintf(cause, sizeof cause, "%.*s", (int)(len < sizeof cause ? len : sizeof cause - 1), text);
        e = err_prefix(batch_retry_parse(r, cause, equals ? equals + 1 : ""), "--retry");
    }
    return e;
}

static enum err read_rules(const struct args *a, struct batch_rules *r)
{
    int64_t quorum, target, errors, total, successes;
    const char *policy = args_text(a, "policy", NULL), *share = args_text(a, "audit-share", NULL);
    enum err e;
    *r = (struct batch_rules)BATCH_RULES_NOT_GIVEN;
    if (policy && (r->policy = batch_policy_from_name(policy)) == BATCH_POLICIES)
        return err_set(ERR_INVALID, "--policy is \"%.40s\": give once, quorum, adaptive, audit or checker",
                       policy);
    if (share && str_to_double(share, &r->audit_share) != ERR_OK)
        return err_set(ERR_INVALID, "--audit-share is \"%.40s\": give a number from 0.001 to 1", share);
    if ((e = args_i64(a, "quorum", 1, ATTEMPTS_MAX, 0, &quorum)) != ERR_OK ||
        (e = args_i64(a, "target", 1, ATTEMPTS_MAX, 0, &target)) != ERR_OK ||
        (e = args_i64(a, "max-errors", 0, ATTEMPTS_MAX, -1, &errors)) != ERR_OK ||
        (e = args_i64(a, "max-attempts", 1, ATTEMPTS_MAX, 0, &total)) != ERR_OK ||
        (e = args_i64(a, "max-successes", 1, ATTEMPTS_MAX, 0, &successes)) != ERR_OK ||
        (e = args_duration(a, "deadline", 0, &r->deadline_ms)) != ERR_OK ||
        (e = args_i64(a, "escrow", 0, 1000, -1, &r->escrow_units)) != ERR_OK ||
        (e = args_duration(a, "hold", -1, &r->hold_ms)) != ERR_OK)
        return e;
    if (target && quorum && target < quorum)
        return err_set(ERR_INVALID,
                       "--target %lld is less than --quorum %lld: so many answers could never come",
                       (long long)target, (long long)quorum);
    r->min_quorum = (uint32_t)quorum;
    r->target_attempts = (uint32_t)(target ? target : quorum);
    r->has_max_error_attempts = errors >= 0;
    r->max_error_attempts = errors >= 0 ? (uint32_t)errors : 0;
    r->max_total_attempts = (uint32_t)total;
    r->max_success_attempts = (uint32_t)successes;
    return read_retry(a, r);
}

static enum err check_stdin(const struct submit *s)
{
    const char *path = s->request.stdin_path;
    if (!path || s->template_count || s->units.kind == UNITS_FILES)
        return ERR_OK;
    for (uint32_t i = 0; i < s->request.input_count; i++)
        if (str_eq(s->request.inputs[i].path, path))
            return ERR_OK;
    return err_set(ERR_INVALID, "--stdin %s is none of the inputs: give the file with --input FILE=%s", path,
                   path);
}

static enum err read_streams(struct submit *s)
{
    const struct args *a = s->args;
    struct batch_request *r = &s->request;
    int64_t records = 0, until = 0;
    uint32_t count = args_count(a, "stream");
    enum err e;
    if (count > BATCH_STREAMS_MAX)
        return err_set(ERR_LIMIT, "--stream can be given %d times at most", BATCH_STREAMS_MAX);
    if (!(r->streams = arena_array(&s->cli->arena, count + 1, sizeof *r->streams)))
        return ERR_NOMEM;
    for (r->stream_count = 0; r->stream_count < count; r->stream_count++)
        r->streams[r->stream_count] = args_each(a, "stream", r->stream_count);
    r->from_stream = args_text(a, "from-stream", NULL);
    if (!r->from_stream && (args_flag(a, "records") || args_flag(a, "until-batch")))
        return err_set(ERR_INVALID, "--records and --until-batch say when --from-stream NAME ends");
    if ((e = args_i64(a, "records", 1, BATCH_UNITS_MAX, 0, &records)) != ERR_OK ||
        (e = args_i64(a, "until-batch", 1, INT32_MAX, 0, &until)) != ERR_OK)
        return e;
    r->from_max = (uint64_t)records;
    r->until_batch = (uint32_t)until;
    return ERR_OK;
}

/* {"webhook":URL}: the server posts or mails there when the batch has finished. */
/* What the batch's policy says beside its rules: who is told of the end, and when it is given up. */
static enum err read_policy(struct submit *s)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    const char *url = args_text(s->args, "notify", NULL);
    int64_t most;
    enum err e = args_i64(s->args, "max-failed", 0, BATCH_UNITS_MAX, -1, &most);
    if (e != ERR_OK || (!url && most < 0))
        return e;
    if (url && !str_starts(url, "https://") && !str_starts(url, "http://") && !str_starts(url, "mailto:"))
        return err_set(ERR_INVALID,
                       "--notify '%.100s' is no address: it must start with https:// or mailto:", url);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    if (url)
        json_out_string(&o, "webhook", url);
    if (most >= 0)
        json_out_i64(&o, "max_failed", most);
    json_out_close(&o);
    e = json_out_end(&o);
    if (e == ERR_OK && !(s->request.policy = arena_text(&s->cli->arena, buf_text(&text))))
        e = ERR_NOMEM;
    return e;
}

static enum err read_request(struct submit *s)
{
    const struct args *a = s->args;
    struct batch_request *r = &s->request;
    int64_t version, priority;
    enum err e;
    r->app = a->words[0];
    r->name = args_text(a, "name", NULL);
    r->command = a->rest;
    r->command_count = a->rest_count;
    r->stdin_path = args_text(a, "stdin", NULL);
    if ((e = read_policy(s)) != ERR_OK)
        return e;
    if ((e = args_i64(a, "version", 1, INT32_MAX, 0, &version)) != ERR_OK ||
        (e = args_i64(a, "priority", -1000000, 1000000, 0, &priority)) != ERR_OK ||
        (e = parts_limits(a, &r->limits)) != ERR_OK ||
        (e = parts_variables(a, "env", ENV_MAX, &s->cli->arena, &r->env, &r->env_count)) != ERR_OK ||
        (e = parts_variables(a, "label", LABELS_MAX, &s->cli->arena, &r->labels, &r->label_count)) !=
            ERR_OK ||
        (e = read_rules(a, &r->rules)) != ERR_OK || (e = read_streams(s)) != ERR_OK)
        return e;
    r->version = (uint32_t)version;
    r->priority = (int32_t)priority;
    r->reuse = args_flag(a, "reuse");
    return str_is_name(r->app)
               ? ERR_OK
               : err_set(ERR_INVALID, "'%.80s' is no app's name: dugnad app ls lists them", r->app);
}

enum err submit_open(struct submit *s, struct cli *c, const struct args *a)
{
    enum err e;
    *s = (struct submit){.cli = c, .args = a, .files_arena = {.bytes_max = FILES_BYTES_MAX}};
    show_bar_init(&s->bar, c);
    s->files = calloc(BUCKETS, sizeof(struct submit_file *));
    if (!s->files)
        return err_set(ERR_NOMEM, "out of memory");
    if ((e = read_request(s)) != ERR_OK || (e = units_open(a, &c->arena, &s->units)) != ERR_OK ||
        (e = sort_inputs(s)) != ERR_OK || (e = check_stdin(s)) != ERR_OK || (e = read_known(s)) != ERR_OK ||
        (e = submit_stage(s)) != ERR_OK)
        return e;
    if ((s->request.from_stream || s->staged) &&
        (s->units.kind != UNITS_ONE || s->units.sweep_count || s->template_count || s->known_templates))
        return err_set(ERR_INVALID,
                       "%s is where the units come from: no --array, --each-line, --glob, --from-json, "
                       "--from-csv, --sweep, --known or --input with {NAME} beside it",
                       s->staged ? "another batch" : "--from-stream");
    s->array = s->units.kind == UNITS_NUMBERS && s->units.sweep_count == 0 && s->template_count == 0 &&
               s->known_templates == 0 && !s->request.reuse;
    if (s->array) {
        s->request.has_array = true;
        s->request.first = s->units.first;
        s->request.last = s->units.last;
        s->request.step = s->units.step;
    }
    return ERR_OK;
}

void submit_done(struct submit *s)
{
    units_done(&s->units);
    arena_done(&s->files_arena);
    free(s->files);
    s->files = NULL;
}
