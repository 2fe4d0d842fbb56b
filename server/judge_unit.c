#include "server/judge_unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "run/run.h"
#include "server/try.h"
#include "wire/launch.h"

enum { PATH_ROOM = 4096 };
#define MEMORY_BYTES_MAX (2ull << 30)
#define DISK_SPARE_BYTES (256ull << 20)

enum err judge_unit_load(struct judge_unit *j, const struct store_unit *unit, const struct store_batch *batch)
{
    struct text order;
    TRY(store_order_get(j->from->store, j->from->arena, &batch->order_digest, &order));
    TRY(order_parse(order.data, order.len, j->from->arena, &j->order));
    return spec_parse(unit->spec.data, unit->spec.len, j->from->arena, &j->spec);
}

static enum err put_inputs(const struct judge_unit *j, const char *work, const struct file_ref *inputs,
                           uint32_t count)
{
    char path[PATH_ROOM];
    for (uint32_t i = 0; i < count; i++) {
        TRY(file_join(path, sizeof path, work, inputs[i].path));
        TRY(judge_file_write(j->from, &inputs[i], path));
    }
    return ERR_OK;
}

static uint64_t bytes_of(const struct file_ref *files, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += files[i].bytes;
    return bytes;
}

/* The work folder as a host would have it, and the answer that is to be checked. */
static enum err lay_out(const struct judge_unit *j, const struct judge_answer *answer, const char *work,
                        uint64_t *ret_bytes)
{
    char path[PATH_ROOM];
    *ret_bytes = bytes_of(j->order.inputs, j->order.input_count) +
                 bytes_of(j->spec.inputs, j->spec.input_count) + (answer ? answer->bytes : 0);
    TRY(file_remove_tree(work));
    TRY(blobs_room(j->from->blobs, *ret_bytes));
    TRY(file_make_folders(work, 0755));
    TRY(put_inputs(j, work, j->order.inputs, j->order.input_count));
    TRY(put_inputs(j, work, j->spec.inputs, j->spec.input_count));
    TRY(file_join(path, sizeof path, work, "answer"));
    return answer ? judge_answer_unpack(j->from, answer, path) : ERR_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a != 0 && a < b ? a : b;
}

static enum err start(const struct judge_unit *j, const struct manifest *as, const char *audit,
                      const char *work, uint64_t bytes, struct run_outcome *ret)
{
    char bundle[PATH_ROOM];
    const char **argv, **env;
    struct wu_limits l = limits_merge(&j->app->limits, &j->order.limits);
    TRY(judge_bundle_unpack(j->validator, j->bundle, bundle, sizeof bundle));
    TRY(launch_words(as, &j->order, &j->spec, audit, j->from->arena, &argv, &env));
    struct run_spec spec = {.app_folder = bundle,
                            .work_folder = work,
                            .argv = argv,
                            .env = env,
                            .stdin_path = j->order.stdin_path,
                            .stdout_path = j->app->stdout_path,
                            .limits = {.cpu_ms = j->validator->cpu_ms,
                                       .wall_ms = j->validator->wall_ms,
                                       .memory_bytes = least(l.memory_bytes, MEMORY_BYTES_MAX),
                                       .disk_bytes = bytes + least(l.disk_bytes, DISK_SPARE_BYTES),
                                       .processes = l.processes ? l.processes : 16}};
    return judge_run_to_end(j->from, &spec, ret);
}

static enum err folder_of(const struct judge_unit *j, char ret[PATH_ROOM])
{
    return file_join(ret, PATH_ROOM, j->validator->folder, "unit");
}

/* Removing what was laid out must not hide why it failed. */
static enum err tidy(const char *work, enum err e)
{
    char why[ERR_TEXT_BYTES_MAX];
    snprintf(why, sizeof why, "%s", err_text());
    enum err removed = file_remove_tree(work);
    return e == ERR_OK ? removed : err_set(e, "%s", why);
}

static enum err said(const struct run_outcome *o, const char *what)
{
    return err_set(ERR_INVALID, "%s ended with %s (exit status %d): %s: %.200s", what, run_end_name(o->end),
                   o->exit_code, o->message, o->stderr_tail);
}

static enum err read_list(const char *work, const char *path, struct buf *out)
{
    char bytes[1 << 16];
    uint64_t size;
    ssize_t n;
    int fd;
    TRY(run_open_output(work, path, ITEMS_BYTES_MAX, &fd, &size));
    enum err e = ERR_OK;
    while (e == ERR_OK && (n = read(fd, bytes, sizeof bytes)) != 0)
        e = n < 0 ? err_set_errno(ERR_IO, "cannot read a list of items") : buf_add(out, bytes, (size_t)n);
    close(fd);
    return e;
}

static enum err run_item(const struct judge_unit *j, uint64_t item, const char *work, struct buf *out)
{
    char text[AUDIT_TEXT_BYTES];
    struct run_outcome outcome;
    uint64_t bytes;
    audit_text(&(struct audit){.seed = item, .one = true}, text);
    TRY(lay_out(j, NULL, work, &bytes));
    TRY(start(j, j->app, text, work, bytes, &outcome));
    return outcome.end == RUN_END_OK ? read_list(work, j->app->items, out)
                                     : said(&outcome, "the app, run for one item,");
}

enum err judge_unit_item(const struct judge_unit *j, uint64_t item, struct buf *out)
{
    char work[PATH_ROOM];
    TRY(folder_of(j, work));
    return tidy(work, run_item(j, item, work, out));
}

static enum err run_check(const struct judge_unit *j, const struct judge_answer *answer, const char *work,
                          bool *ret_right)
{
    struct manifest as = *j->app;
    struct run_outcome outcome;
    uint64_t bytes;
    as.entry = j->app->checker;
    as.entry_count = j->app->checker_count;
    TRY(lay_out(j, answer, work, &bytes));
    TRY(start(j, &as, NULL, work, bytes, &outcome));
    *ret_right = outcome.end == RUN_END_OK;
    return *ret_right || (outcome.end == RUN_END_EXIT && outcome.exit_code == 1)
               ? ERR_OK
               : said(&outcome, "the app's checker");
}

enum err judge_unit_check(const struct judge_unit *j, const struct judge_answer *answer, bool *ret_right)
{
    char work[PATH_ROOM];
    if (answer->clashes) {
        *ret_right = false;
        return ERR_OK;
    }
    TRY(folder_of(j, work));
    return tidy(work, run_check(j, answer, work, ret_right));
}
