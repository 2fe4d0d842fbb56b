/* submit_local.c - a whole submission on this machine: no server, the same sandbox, the same folder of
 * results */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "client/cli/results.h"
#include "client/cli/results_table.h"
#include "client/cli/submit.h"

enum { JOBS_MAX = 1024, LOOK_MS = 100, PATH_ROOM = 4096 };

/* What the workers share; each is a process, because a sandbox belongs to the process that started it. */
struct shared {
    _Atomic uint64_t next, accepted, failed;
    _Atomic bool stopped;
};

struct local {
    struct submit *submit;
    struct submit_app *app;
    const char *folder;
    char root[PATH_ROOM], unpacked[PATH_ROOM], list[PATH_ROOM];
    struct shared *shared;
    uint8_t *done; /* a byte for each unit: it has an answer from an earlier call */
    uint32_t jobs;
    pid_t workers[JOBS_MAX];
};

static void write_vars(struct local *l, uint64_t i, struct arena *a, struct json_out *o)
{
    struct variable vars[UNITS_VARS_MAX];
    uint32_t count = 0;
    const char *file;
    json_out_object(o, "vars");
    if (units_vars(&l->submit->units, i, a, vars, &count, &file) == ERR_OK)
        for (uint32_t v = 0; v < count; v++)
            json_out_string(o, vars[v].name, vars[v].value);
    json_out_close(o);
}

static enum err write_outputs(struct local *l, const char *folder, struct json_out *o)
{
    const struct manifest *m = &l->app->release.manifest;
    json_out_array(o, "outputs");
    for (uint32_t i = 0; i < m->output_count; i++) {
        struct digest digest;
        uint64_t bytes;
        char path[PATH_ROOM];
        enum err e = file_join(path, sizeof path, folder, m->outputs[i].path);
        if (e != ERR_OK)
            return e;
        if (!file_exists(path))
            continue;
        if ((e = hash_file(path, &digest, &bytes)) != ERR_OK)
            return e;
        json_out_object(o, NULL);
        json_out_string(o, "path", m->outputs[i].path);
        digest_write(o, "sha256", &digest);
        json_out_u64(o, "bytes", bytes);
        json_out_close(o);
    }
    json_out_close(o);
    return ERR_OK;
}

/* One write for the whole line: the workers append to the same file. */
static enum err add_line(struct local *l, const struct buf *line)
{
    int fd = open(l->list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", l->list);
    enum err e = file_write_all(fd, line->data, line->len);
    close(fd);
    return e;
}

static enum err note(struct local *l, uint64_t i, const char *folder, const struct local_result *r,
                     struct arena *a)
{
    BUF_AUTO struct buf line = {0};
    struct json_out o;
    char unit[40];
    bool fine = r->outcome.end == RUN_END_OK && !*r->problem;
    enum err e = ERR_OK;
    snprintf(unit, sizeof unit, "local.%llu", (unsigned long long)i);
    json_out_init(&o, &line);
    json_out_object(&o, NULL);
    json_out_string(&o, "unit", unit);
    write_vars(l, i, a, &o);
    json_out_string(&o, "state", fine ? "accepted" : "failed");
    if (fine) {
        e = write_outputs(l, folder, &o);
    } else {
        json_out_null(&o, "outputs");
        json_out_string(&o, "failure", *r->problem ? "output" : run_end_name(r->outcome.end));
        json_out_string(&o, "message", *r->problem ? r->problem : r->outcome.message);
        json_out_string_len(&o, "stderr", r->outcome.stderr_tail, strlen(r->outcome.stderr_tail));
    }
    json_out_i64(&o, "cpu_ms", r->outcome.usage.cpu_ms);
    json_out_close(&o);
    enum err ended = json_out_end(&o);
    if (e == ERR_OK && ended == ERR_OK && (ended = buf_add_char(&line, '\n')) == ERR_OK)
        ended = add_line(l, &line);
    if (e == ERR_OK && ended == ERR_OK)
        atomic_fetch_add(fine ? &l->shared->accepted : &l->shared->failed, 1);
    return e == ERR_OK ? ended : e;
}

static enum err do_unit(struct local *l, uint64_t i)
{
    ARENA_AUTO struct arena a = {0};
    struct cli c = *l->submit->cli;
    struct local_result *result = arena_alloc(&a, sizeof *result);
    struct local_job job;
    char name[40], folder[PATH_ROOM];
    if (!result)
        return ERR_NOMEM;
    c.arena = (struct arena){0};
    c.quiet = true;
    snprintf(name, sizeof name, "local.%llu", (unsigned long long)i);
    enum err e = submit_job(l->submit, l->app, i, &a, &job);
    if (e == ERR_OK)
        e = file_join(folder, sizeof folder, l->folder, name);
    job.app_folder = l->unpacked;
    job.out_folder = folder;
    job.force = true;
    if (e == ERR_OK)
        e = local_run(&c, &job, result);
    if (e == ERR_OK && result->outcome.end == RUN_END_STOPPED)
        atomic_store(&l->shared->stopped, true);
    else if (e == ERR_OK)
        e = note(l, i, folder, result, &a);
    arena_done(&c.arena);
    return e;
}

static int work(struct local *l)
{
    while (!atomic_load(&l->shared->stopped)) {
        uint64_t i = atomic_fetch_add(&l->shared->next, 1);
        if (i >= l->submit->units.count)
            return 0;
        if (l->done[i])
            continue;
        enum err e = do_unit(l, i);
        if (e != ERR_OK) {
            atomic_store(&l->shared->stopped, true);
            fprintf(l->submit->cli->err, "dugnad: unit local.%llu: %s\n", (unsigned long long)i, err_text());
            return 2;
        }
    }
    return 0;
}

static enum err start(struct local *l)
{
    fflush(NULL);
    for (uint32_t i = 0; i < l->jobs; i++) {
        l->workers[i] = fork();
        if (l->workers[i] < 0)
            return err_set_errno(ERR_IO, "cannot start worker %u of %u", i + 1, l->jobs);
        if (l->workers[i] == 0)
            _exit(work(l));
    }
    return ERR_OK;
}

static void show(struct local *l, struct show_bar *bar)
{
    char text[96];
    uint64_t accepted = atomic_load(&l->shared->accepted), failed = atomic_load(&l->shared->failed);
    uint64_t units = l->submit->units.count;
    snprintf(text, sizeof text, "%llu of %llu units, %llu failed", (unsigned long long)accepted,
             (unsigned long long)units, (unsigned long long)failed);
    show_bar_draw(bar, (double)(accepted + failed) / (double)units, text, clock_mono_ms());
}

/* Ctrl-C goes to the workers, which stop what they run; this process clears up behind them. */
static enum err watch(struct local *l)
{
    struct show_bar bar;
    bool broken = false;
    uint32_t left = l->jobs;
    show_bar_init(&bar, l->submit->cli);
    while (left > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == ECHILD)
            break;
        if (pid > 0) {
            left--;
            broken = broken || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
            if (WIFSIGNALED(status))
                atomic_store(&l->shared->stopped, true);
            continue;
        }
        show(l, &bar);
        clock_sleep_ms(LOOK_MS);
    }
    show_bar_end(&bar);
    if (broken || atomic_load(&l->shared->stopped))
        return err_set(ERR_IO, "stopped before all units were done: the same command again goes on");
    return ERR_OK;
}

static enum err run_all(struct local *l)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before_int, before_term;
    enum err e = start(l);
    if (e != ERR_OK)
        atomic_store(&l->shared->stopped, true);
    sigaction(SIGINT, &ignore, &before_int);
    sigaction(SIGTERM, &ignore, &before_term);
    enum err watched = watch(l);
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
    return e == ERR_OK ? watched : e;
}

/* What an earlier call has done is not done again; what failed is. */
static enum err look_back(void *ctx, const struct json *item)
{
    struct local *l = ctx;
    const char *unit = json_text(json_field(item, "unit"));
    uint64_t i;
    if (!unit || !str_starts(unit, "local.") || str_to_u64(unit + 6, l->submit->units.count, &i) != ERR_OK ||
        i >= l->submit->units.count)
        return err_set(ERR_CONFLICT,
                       "%s holds the results of something else: choose another folder with --out", l->folder);
    if (str_eq(json_text(json_field(item, "state")), "accepted") && !l->done[i]) {
        l->done[i] = 1;
        atomic_fetch_add(&l->shared->accepted, 1);
    }
    return ERR_OK;
}

/* Failed units of an earlier call come again: their lines go. */
static enum err open_folder(struct local *l)
{
    enum err e = file_make_folders(l->folder, 0755);
    if (e == ERR_OK)
        e = file_join(l->list, sizeof l->list, l->folder, RESULTS_LIST_FILE);
    if (e == ERR_OK)
        e = results_table_each(l->folder, look_back, l);
    return e == ERR_OK ? results_table_keep(l->folder, "accepted") : e;
}

static enum err open_place(struct local *l)
{
    const char *temp = getenv("TMPDIR");
    int64_t jobs;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    enum err e =
        args_i64(l->submit->args, "jobs", 1, JOBS_MAX, cores > 0 && cores < JOBS_MAX ? cores : 1, &jobs);
    if (e != ERR_OK)
        return e;
    l->jobs = (uint64_t)jobs < l->submit->units.count ? (uint32_t)jobs : (uint32_t)l->submit->units.count;
    l->shared = mmap(NULL, sizeof *l->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    l->done = calloc(l->submit->units.count, 1);
    if (l->shared == MAP_FAILED || !l->done)
        return err_set(ERR_NOMEM, "out of memory");
    snprintf(l->root, sizeof l->root, "%.3000s/dugnad-local-XXXXXX", temp && *temp ? temp : "/tmp");
    if (!mkdtemp(l->root)) {
        e = err_set_errno(ERR_IO, "cannot make a folder %s", l->root);
        *l->root = 0;
        return e;
    }
    if ((e = file_join(l->unpacked, sizeof l->unpacked, l->root, "app")) == ERR_OK)
        e = local_unpack(l->app->bundle, l->unpacked);
    return e;
}

static enum err tell(struct local *l)
{
    struct cli *c = l->submit->cli;
    unsigned long long accepted = atomic_load(&l->shared->accepted), failed = atomic_load(&l->shared->failed);
    enum err e = results_table_csv(l->folder);
    if (e != ERR_OK)
        return e;
    if (failed > 0)
        c->status = CLI_STATUS_FAILED;
    fprintf(c->out, c->json ? "{\"folder\":\"%s\",\"accepted\":%llu,\"failed\":%llu}\n" : "%s\n", l->folder,
            accepted, failed);
    cli_say(c, "%llu units have an answer, %llu failed (%s/%s says why; the same command again tries those)",
            accepted, failed, l->folder, RESULTS_LIST_FILE);
    return ERR_OK;
}

enum err submit_local(struct submit *s)
{
    struct local *l = arena_alloc(&s->cli->arena, sizeof *l);
    struct submit_app *app = arena_alloc(&s->cli->arena, sizeof *app);
    if (!l || !app)
        return ERR_NOMEM;
    if (s->request.from_stream)
        return err_set(ERR_INVALID, "--from-stream needs the server: leave --local out");
    memset(l, 0, sizeof *l);
    l->submit = s;
    l->app = app;
    l->folder = args_text(s->args, "out", "results-local");
    enum err e = submit_app_open(s, app);
    if (e == ERR_OK)
        e = open_place(l);
    if (e == ERR_OK)
        e = open_folder(l);
    if (e == ERR_OK)
        e = run_all(l);
    if (e == ERR_OK)
        e = tell(l);
    char *why = e == ERR_OK ? NULL : arena_text(&s->cli->arena, err_text());
    enum err cleared = *l->root ? file_remove_tree(l->root) : ERR_OK;
    if (l->shared && l->shared != MAP_FAILED)
        munmap(l->shared, sizeof *l->shared);
    free(l->done);
    submit_app_done(app);
    return e == ERR_OK ? cleared : err_set(e, "%s", why ? why : "");
}
