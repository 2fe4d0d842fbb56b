/* slot.c - see slot.h */
#include "client/slot.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/copy.h"

enum { PATH_ROOM = DEPOT_PATH_BYTES };

static enum err make_parent(char *path)
{
    char *slash = strrchr(path, '/');
    *slash = 0;
    enum err e = file_make_folders(path, 0755);
    *slash = '/';
    return e;
}

static enum err bring_inputs(const char *folder, struct depot *depot, const struct task *task)
{
    char to[PATH_ROOM];
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < task->input_count && e == ERR_OK; i++)
        if ((e = file_join(to, sizeof to, folder, task->inputs[i].path)) == ERR_OK &&
            (e = make_parent(to)) == ERR_OK)
            e = depot_copy(depot, &task->inputs[i].sha256, to);
    if (e == ERR_OK && task->release.manifest.stdout_path &&
        (e = file_join(to, sizeof to, folder, task->release.manifest.stdout_path)) == ERR_OK)
        e = make_parent(to);
    return e;
}

static uint64_t tighter(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* A program's own fault with a checkpoint, such as a link in its place, only costs it the checkpoint. */
static enum err bring_checkpoint(const char *before, const char *folder, const char *path, uint64_t bytes_max)
{
    char to[PATH_ROOM];
    struct digest digest;
    uint64_t bytes;
    int fd;
    if (run_open_output(before, path, bytes_max, &fd, &bytes) != ERR_OK)
        return ERR_OK;
    enum err e = file_join(to, sizeof to, folder, path);
    if (e == ERR_OK)
        e = make_parent(to);
    if (e == ERR_OK) {
        unlink(to);
        e = copy_hashed(fd, to, 0644, bytes_max, false, &digest, &bytes);
    }
    close(fd);
    return e;
}

static enum err bring_checkpoints(const char *before, const char *folder, const struct task *task,
                                  uint64_t bytes_max)
{
    const struct manifest *m = &task->release.manifest;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < m->checkpoint_count && e == ERR_OK; i++)
        e = bring_checkpoint(before, folder, m->checkpoints[i], bytes_max);
    return e;
}

/* Everything that is in the folder when the program begins. */
static enum err fill(const char *before, const char *folder, struct depot *depot, const struct task *task,
                     const struct slot_limits *limits)
{
    enum err e = file_remove_tree(folder);
    if (e == ERR_OK)
        e = file_make_folders(folder, 0755);
    if (e == ERR_OK)
        e = bring_inputs(folder, depot, task);
    if (e == ERR_OK && !limits->afresh)
        e = bring_checkpoints(before, folder, task, limits->disk_bytes ? limits->disk_bytes : BLOB_BYTES_MAX);
    if (e == ERR_OK && task->release.manifest.sdk)
        e = slot_make_grid(folder);
    return e;
}

static enum err start(const char *folder, struct depot *depot, const struct task *task,
                      const struct slot_limits *limits, int64_t now_ms, struct run **ret)
{
    ARENA_AUTO struct arena a = {0};
    char app[PATH_ROOM];
    const char **argv = NULL, **env = NULL;
    const struct wu_limits *l = &task->limits;
    enum err e = task_command(task, &a, &argv, &env);
    if (e != ERR_OK)
        return e;
    depot_path(depot, DEPOT_APP, &task->release.bundle, app);
    struct run_spec spec = {.app_folder = app,
                            .work_folder = folder,
                            .argv = argv,
                            .env = env,
                            .stdin_path = task->order.stdin_path,
                            .stdout_path = task->release.manifest.stdout_path,
                            .stderr_bytes_max = STDERR_TAIL_BYTES_MAX,
                            .limits = {.cpu_ms = l->cpu_ms,
                                       .wall_ms = l->wall_ms,
                                       .memory_bytes = tighter(l->memory_bytes, limits->memory_bytes),
                                       .disk_bytes = tighter(l->disk_bytes, limits->disk_bytes),
                                       .processes = l->processes},
                            .groups = limits->groups,
                            .idle = limits->idle};
    return run_start(&spec, now_ms, ret);
}

enum err slot_start(const char *folder, struct depot *depot, const struct task *task,
                    const struct slot_limits *limits, int64_t now_ms, struct run **ret)
{
    char fresh[PATH_ROOM];
    int len = snprintf(fresh, sizeof fresh, "%s.new", folder);
    if (len < 0 || (size_t)len >= sizeof fresh)
        return err_set(ERR_LIMIT, "the path of the data folder is too long");
    enum err e = fill(folder, fresh, depot, task, limits);
    if (e != ERR_OK) {
        char problem[ERR_TEXT_BYTES_MAX];
        snprintf(problem, sizeof problem, "%s", err_text());
        (void)!file_remove_tree(fresh);
        return err_set(e, "%s", problem);
    }
    if ((e = file_remove_tree(folder)) == ERR_OK && rename(fresh, folder) != 0)
        e = err_set_errno(ERR_IO, "cannot move %s", fresh);
    return e == ERR_OK ? start(folder, depot, task, limits, now_ms, ret) : e;
}

/* The program's fault, not this host's. */
static bool is_its_fault(enum err e)
{
    return e == ERR_MISSING || e == ERR_LIMIT || e == ERR_INVALID;
}

static void blame(struct outcome *x, struct arena *a, const char *path)
{
    char text[ERR_TEXT_BYTES_MAX];
    snprintf(text, sizeof text, "%.500s: %.400s", path, err_text());
    x->word = "output";
    x->message = outcome_text(a, text, ERR_TEXT_BYTES_MAX - 1, false);
    x->output_count = 0;
}

static enum err take_output(const char *folder, const char *answer_folder, const struct output_spec *o,
                            uint64_t bytes_max, struct outcome *x)
{
    char to[PATH_ROOM], name[16];
    struct file_ref *ref = &x->outputs[x->output_count];
    uint64_t bytes;
    int fd;
    enum err e = run_open_output(folder, o->path, bytes_max, &fd, &bytes);
    if (e != ERR_OK)
        return e;
    snprintf(name, sizeof name, "%u", x->output_count);
    e = file_join(to, sizeof to, answer_folder, name);
    if (e == ERR_OK)
        e = copy_hashed(fd, to, 0600, bytes_max, true, &ref->sha256, &ref->bytes);
    close(fd);
    if (e == ERR_OK) {
        ref->path = o->path;
        x->output_count++;
    }
    return e;
}

static enum err take_outputs(const char *folder, const struct task *task, const char *answer_folder,
                             struct arena *a, struct outcome *x)
{
    const struct manifest *m = &task->release.manifest;
    uint64_t left = task->limits.output_bytes ? task->limits.output_bytes : BLOB_BYTES_MAX;
    x->outputs = arena_array(a, m->output_count + 1, sizeof *x->outputs);
    enum err e = x->outputs ? file_remove_tree(answer_folder) : ERR_NOMEM;
    if (e == ERR_OK)
        e = file_make_folders(answer_folder, 0700);
    for (uint32_t i = 0; i < m->output_count && e == ERR_OK; i++) {
        const struct output_spec *o = &m->outputs[i];
        if (task->audit && !str_eq(o->path, m->items))
            continue;
        uint64_t most = o->bytes_max && o->bytes_max < left ? o->bytes_max : left;
        e = take_output(folder, answer_folder, o, most, x);
        if (e == ERR_OK)
            left -= x->outputs[x->output_count - 1].bytes;
        else if (e == ERR_MISSING && o->optional)
            e = ERR_OK;
        else if (is_its_fault(e)) {
            blame(x, a, o->path);
            return ERR_OK;
        }
    }
    return e == ERR_OK ? file_sync_folder(answer_folder) : e;
}

/* The end of what an attempt that went wrong wrote to standard output, where that is one of its outputs. */
static const char *stdout_tail(const char *folder, const struct task *task, struct arena *a)
{
    const char *path = task->release.manifest.stdout_path;
    char text[STDERR_TAIL_BYTES_MAX + 1];
    uint64_t bytes;
    int fd;
    if (!path || run_open_output(folder, path, UINT64_MAX, &fd, &bytes) != ERR_OK)
        return NULL;
    uint64_t from = bytes > STDERR_TAIL_BYTES_MAX ? bytes - STDERR_TAIL_BYTES_MAX : 0;
    ssize_t len = pread(fd, text, STDERR_TAIL_BYTES_MAX, (off_t)from);
    close(fd);
    for (ssize_t i = 0; i < len; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[len > 0 ? len : 0] = 0;
    return outcome_text(a, text, STDERR_TAIL_BYTES_MAX, true);
}

enum err slot_finish(const char *folder, struct run *run, const struct task *task, const char *answer_folder,
                     struct arena *a, struct outcome *ret)
{
    struct run_outcome *out = arena_alloc(a, sizeof *out);
    struct outcome x = {0};
    if (!out) {
        run_finish(run, NULL);
        return ERR_NOMEM;
    }
    run_take_outcome(run, out);
    x.word = run_end_name(out->end);
    x.cpu_ms = out->usage.cpu_ms;
    x.wall_ms = out->usage.wall_ms;
    x.memory_bytes = out->usage.memory_bytes_max;
    x.has_exit_code = out->end == RUN_END_EXIT;
    x.exit_code = out->exit_code;
    x.has_signal = out->end == RUN_END_SIGNAL;
    x.signal = out->signal;
    enum err e = ERR_OK;
    if (out->end == RUN_END_OK)
        e = take_outputs(folder, task, answer_folder, a, &x);
    else
        x.message = outcome_text(a, out->message, ERR_TEXT_BYTES_MAX - 1, false);
    if (strcmp(x.word, "ok") != 0)
        x.stderr_tail = outcome_text(a, out->stderr_tail, STDERR_TAIL_BYTES_MAX, true);
    if (strcmp(x.word, "ok") != 0)
        x.stdout_tail = stdout_tail(folder, task, a);
    run_finish(run, NULL);
    if (e == ERR_OK)
        *ret = x;
    return e;
}
