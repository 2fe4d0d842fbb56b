/* local.c - see local.h */
#include "client/cli/local.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "client/cli/show.h"
#include "wire/bundle.h"

enum { PATH_ROOM = 4096 };

struct place {
    char root[PATH_ROOM], app[PATH_ROOM], work[PATH_ROOM];
};

static enum err make_place(struct place *p)
{
    const char *temp = getenv("TMPDIR");
    snprintf(p->root, sizeof p->root, "%.3000s/dugnad-run-XXXXXX", temp && *temp ? temp : "/tmp");
    if (!mkdtemp(p->root))
        return err_set_errno(ERR_IO, "cannot make a folder %s", p->root);
    enum err e = file_join(p->app, sizeof p->app, p->root, "app");
    if (e == ERR_OK)
        e = file_join(p->work, sizeof p->work, p->root, "work");
    return e == ERR_OK ? file_make_folders(p->work, 0755) : e;
}

static enum err make_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return ERR_OK;
    *slash = 0;
    enum err e = file_make_folders(path, 0755);
    *slash = '/';
    return e;
}

static enum err bring_inputs(const struct local_job *job, const struct place *p)
{
    char to[PATH_ROOM];
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < job->input_count && e == ERR_OK; i++)
        if ((e = file_join(to, sizeof to, p->work, job->inputs[i].path)) == ERR_OK &&
            (e = make_parent(to)) == ERR_OK)
            e = file_copy(job->inputs[i].from, to, 0644);
    return e;
}

enum err local_unpack(const char *bundle, const char *folder)
{
    int fd = open(bundle, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open the bundle %s", bundle);
    enum err e = bundle_unpack(fd, folder);
    close(fd);
    return e;
}

/* "NAME=value" of the manifest, then of the job, which wins by coming last in the program's eyes only if the
 * first is left out: so it is. */
static enum err make_env(const struct local_job *job, struct arena *a, const char ***ret)
{
    const struct manifest *m = job->manifest;
    const char **list = arena_array(a, m->env_count + job->env_count + 1, sizeof *list);
    uint32_t n = 0;
    if (!list)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < m->env_count + job->env_count; i++) {
        const struct variable *v = i < m->env_count ? &m->env[i] : &job->env[i - m->env_count];
        BUF_AUTO struct buf text = {0};
        bool later = false;
        for (uint32_t j = 0; i < m->env_count && j < job->env_count; j++)
            later = later || str_eq(job->env[j].name, v->name);
        if (later)
            continue;
        enum err e = buf_printf(&text, "%s=%s", v->name, v->value);
        if (e != ERR_OK || !(list[n++] = arena_text(a, buf_text(&text))))
            return e != ERR_OK ? e : ERR_NOMEM;
    }
    *ret = list;
    return ERR_OK;
}

static enum err make_argv(const struct local_job *job, struct arena *a, const char ***ret)
{
    const struct manifest *m = job->manifest;
    const char **list = arena_array(a, m->entry_count + job->command_count + 1, sizeof *list);
    if (!list)
        return ERR_NOMEM;
    memcpy(list, m->entry, m->entry_count * sizeof *list);
    if (job->command_count)
        memcpy(list + m->entry_count, job->command, job->command_count * sizeof *list);
    *ret = list;
    return ERR_OK;
}

/* Polls until it has ended; a signal from the keyboard stops it. */
static void wait_for(struct cli *c, struct run *run, int signals)
{
    struct show_bar bar;
    bool ended = false;
    show_bar_init(&bar, c);
    while (!ended) {
        struct pollfd fds[2] = {{.fd = run_fd(run), .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        char text[96], cpu[32], memory[32];
        poll(fds, 2, (int)run_poll_ms(run));
        if (fds[1].revents & POLLIN) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof info) > 0)
                run_stop(run);
        }
        run_poll(run, clock_mono_ms(), &ended);
        const struct run_usage *u = run_usage(run);
        str_from_duration_ms(u->cpu_ms, cpu, sizeof cpu);
        str_from_bytes(u->memory_bytes, memory, sizeof memory);
        snprintf(text, sizeof text, "running: %s of CPU, %s of memory", cpu, memory);
        if (bar.tty && u->wall_ms > 1000)
            show_bar_draw(&bar, -1, text, clock_mono_ms());
    }
    show_bar_end(&bar);
}

static enum err run_it(struct cli *c, const struct run_spec *spec, struct run_outcome *ret)
{
    struct run *run;
    sigset_t wanted, before;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    enum err e = run_start(spec, clock_mono_ms(), &run);
    if (e != ERR_OK)
        return e;
    pthread_sigmask(SIG_BLOCK, &wanted, &before);
    int signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    wait_for(c, run, signals);
    run_finish(run, ret);
    if (signals >= 0)
        close(signals);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ERR_OK;
}

static enum err keep(const struct local_job *job, const char *path, int fd)
{
    char to[PATH_ROOM], from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    enum err e = file_join(to, sizeof to, job->out_folder, path);
    if (e == ERR_OK)
        e = make_parent(to);
    if (e == ERR_OK && job->force)
        unlink(to);
    if (e == ERR_OK)
        e = file_copy(from, to, 0644);
    return e;
}

static enum err take_outputs(const struct local_job *job, const struct place *p,
                             const struct wu_limits *limits, struct local_result *ret)
{
    for (uint32_t i = 0; i < job->manifest->output_count; i++) {
        const struct output_spec *o = &job->manifest->outputs[i];
        uint64_t most = o->bytes_max           ? o->bytes_max
                        : limits->output_bytes ? limits->output_bytes
                                               : BLOB_BYTES_MAX;
        uint64_t bytes;
        int fd;
        enum err e = run_open_output(p->work, o->path, most, &fd, &bytes);
        if (e == ERR_MISSING && o->optional)
            continue;
        if (e != ERR_OK) {
            snprintf(ret->problem, sizeof ret->problem, "%.500s", err_text());
            continue;
        }
        ret->output_bytes += bytes;
        ret->output_count++;
        e = job->out_folder ? keep(job, o->path, fd) : ERR_OK;
        close(fd);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err prepare_and_run(struct cli *c, const struct local_job *job, const struct place *p,
                                struct local_result *ret)
{
    ARENA_AUTO struct arena a = {0};
    struct wu_limits l = limits_merge(&job->manifest->limits, &job->limits);
    const char **argv = NULL, **env = NULL;
    enum err e;
    if (!job->app_folder && (e = local_unpack(job->bundle, p->app)) != ERR_OK)
        return e;
    if ((e = bring_inputs(job, p)) != ERR_OK || (e = make_argv(job, &a, &argv)) != ERR_OK ||
        (e = make_env(job, &a, &env)) != ERR_OK)
        return e;
    struct run_spec spec = {.app_folder = job->app_folder ? job->app_folder : p->app,
                            .work_folder = p->work,
                            .argv = argv,
                            .env = env,
                            .stdin_path = job->stdin_path,
                            .stdout_path = job->manifest->stdout_path,
                            .stderr_bytes_max = sizeof ret->outcome.stderr_tail - 1,
                            .limits = {.cpu_ms = l.cpu_ms,
                                       .wall_ms = l.wall_ms,
                                       .memory_bytes = l.memory_bytes,
                                       .disk_bytes = l.disk_bytes,
                                       .processes = l.processes}};
    if ((e = run_it(c, &spec, &ret->outcome)) != ERR_OK)
        return e;
    return ret->outcome.end == RUN_END_OK ? take_outputs(job, p, &l, ret) : ERR_OK;
}

/* Before it runs for hours. */
static enum err check_room(const struct local_job *job)
{
    char to[PATH_ROOM];
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && job->out_folder && !job->force && i < job->manifest->output_count;
         i++)
        if ((e = file_join(to, sizeof to, job->out_folder, job->manifest->outputs[i].path)) == ERR_OK &&
            file_exists(to))
            e = err_set(ERR_CONFLICT, "the output %s exists already: --force replaces it", to);
    return e;
}

enum err local_run(struct cli *c, const struct local_job *job, struct local_result *ret)
{
    struct place *p = arena_alloc(&c->arena, sizeof *p);
    if (!p)
        return ERR_NOMEM;
    memset(ret, 0, sizeof *ret);
    enum err e = check_room(job);
    if (e == ERR_OK)
        e = make_place(p);
    if (e == ERR_OK)
        e = prepare_and_run(c, job, p, ret);
    char *why = e == ERR_OK ? NULL : arena_text(&c->arena, err_text());
    enum err cleared = *p->root ? file_remove_tree(p->root) : ERR_OK;
    return e == ERR_OK ? cleared : err_set(e, "%s", why ? why : "");
}

static enum err tell_json(struct cli *c, const struct local_result *r)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    const struct run_outcome *out = &r->outcome;
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_string(&o, "outcome", out->end == RUN_END_OK && *r->problem ? "output" : run_end_name(out->end));
    json_out_i64(&o, "exit_code", out->exit_code);
    json_out_i64(&o, "signal", out->signal);
    json_out_string(&o, "message", *r->problem ? r->problem : out->message);
    json_out_string_len(&o, "stderr", out->stderr_tail, strlen(out->stderr_tail));
    json_out_i64(&o, "cpu_ms", out->usage.cpu_ms);
    json_out_i64(&o, "wall_ms", out->usage.wall_ms);
    json_out_u64(&o, "memory_bytes", out->usage.memory_bytes_max);
    json_out_u64(&o, "disk_bytes", out->usage.disk_bytes);
    json_out_u64(&o, "output_bytes", r->output_bytes);
    json_out_close(&o);
    enum err e = json_out_end(&o);
    if (e == ERR_OK)
        fprintf(c->out, "%s\n", buf_text(&text));
    return e;
}

enum err local_tell(struct cli *c, const struct local_result *r)
{
    const struct run_outcome *out = &r->outcome;
    char cpu[32], wall[32], memory[32], size[32];
    if (out->end != RUN_END_OK || *r->problem)
        c->status = CLI_STATUS_FAILED;
    if (c->json)
        return tell_json(c, r);
    if (*out->stderr_tail && !c->quiet) {
        fprintf(c->err, "the end of what it said on standard error:\n");
        show_block(c->err, out->stderr_tail, strlen(out->stderr_tail), "  ");
    }
    if (out->end != RUN_END_OK)
        fprintf(c->err, "it failed (%s): %s\n", run_end_name(out->end), out->message);
    else if (*r->problem)
        fprintf(c->err, "it ended well, but %s\n", r->problem);
    str_from_duration_ms(out->usage.cpu_ms, cpu, sizeof cpu);
    str_from_duration_ms(out->usage.wall_ms, wall, sizeof wall);
    str_from_bytes(out->usage.memory_bytes_max, memory, sizeof memory);
    str_from_bytes(r->output_bytes, size, sizeof size);
    cli_say(c, "%s, %s of CPU, %s of memory, %u output%s with %s", wall, cpu, memory, r->output_count,
            r->output_count == 1 ? "" : "s", size);
    return ERR_OK;
}
