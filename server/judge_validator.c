#include "server/judge_validator.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "run/run.h"
#include "server/try.h"
#include "wire/bundle.h"

#define SAID_PATH "verdict.txt"
enum { PATH_ROOM = 4096, BUNDLES_KEPT_MAX = 16, SAID_BYTES_MAX = 4096 };
#define BUNDLES_BYTES_MAX (8ull << 30)
#define MEMORY_BYTES      (512ull << 20)
#define DISK_SPARE_BYTES  (256ull << 20)

struct kept {
    uint32_t count;
    uint64_t bytes;
};

static enum err count_entry(void *ctx, const struct file_entry *entry)
{
    struct kept *k = ctx;
    k->count += !strchr(entry->path, '/');
    k->bytes += entry->bytes;
    return ERR_OK;
}

/* The bundle, unpacked once: bundles/DIGEST. When there are too many or they are too large, all go. */
enum err judge_bundle_unpack(const struct judge_validator *v, const struct digest *bundle, char *ret,
                             size_t room)
{
    char hex[DIGEST_TEXT_BYTES], all[PATH_ROOM];
    struct kept kept = {0};
    uint64_t bytes;
    int fd;
    digest_text(bundle, hex);
    snprintf(all, sizeof all, "%.3900s/bundles", v->folder);
    if ((size_t)snprintf(ret, room, "%.3900s/bundles/%s", v->folder, hex) >= room)
        return err_set(ERR_LIMIT, "the judge's folder has too long a path");
    if (file_exists(ret))
        return ERR_OK;
    TRY(file_make_folders(all, 0755));
    TRY(blob_find(v->blobs, bundle, &bytes));
    TRY(file_walk(all, count_entry, &kept));
    if (kept.count >= BUNDLES_KEPT_MAX || (kept.count > 0 && kept.bytes + bytes > BUNDLES_BYTES_MAX)) {
        TRY(file_remove_tree(all));
        TRY(file_make_folders(all, 0755));
    }
    TRY(blobs_room(v->blobs, bytes));
    TRY(blob_open(v->blobs, bundle, &fd, &bytes));
    enum err e = bundle_unpack(fd, ret);
    close(fd);
    return e;
}

enum err judge_run_to_end(const struct judge_source *from, const struct run_spec *spec,
                          struct run_outcome *ret)
{
    struct run *run;
    bool ended = false;
    TRY(run_start(spec, clock_mono_ms(), &run));
    while (!ended) {
        struct pollfd p = {.fd = run_fd(run), .events = POLLIN};
        int64_t wait_ms = run_poll_ms(run);
        (void)poll(&p, 1, (int)(wait_ms < 200 ? wait_ms : 200));
        if (atomic_load(from->stop))
            run_stop(run);
        run_poll(run, clock_mono_ms(), &ended);
    }
    run_finish(run, ret);
    return judge_answer_go_on(from);
}

/* The first bytes the program said. It may have put a link or worse in the file's place. */
static enum err read_said(const char *work, char ret[SAID_BYTES_MAX + 1])
{
    uint64_t bytes;
    int fd;
    TRY(run_open_output(work, SAID_PATH, SAID_BYTES_MAX, &fd, &bytes));
    ssize_t len = read(fd, ret, SAID_BYTES_MAX);
    enum err e = len < 0 ? err_set_errno(ERR_IO, "cannot read what the validator said") : ERR_OK;
    close(fd);
    ret[len > 0 ? len : 0] = '\0';
    return e;
}

static enum err read_unusable(const char *work, enum judge_verdict *ret)
{
    char said[SAID_BYTES_MAX + 1];
    TRY(read_said(work, said));
    said[strcspn(said, "\r\n")] = '\0';
    if (str_eq(said, "unusable a"))
        *ret = JUDGE_UNUSABLE_A;
    else if (str_eq(said, "unusable b"))
        *ret = JUDGE_UNUSABLE_B;
    else
        return err_set(ERR_INVALID,
                       "the validator ended with 2 and did not say \"unusable a\" or \"unusable b\"");
    return ERR_OK;
}

static enum err read_verdict(const char *work, const struct run_outcome *o, enum judge_verdict *ret)
{
    if (o->end == RUN_END_OK || (o->end == RUN_END_EXIT && o->exit_code == 1)) {
        *ret = o->end == RUN_END_OK ? JUDGE_SAME : JUDGE_DIFFERENT;
        return ERR_OK;
    }
    if (o->end == RUN_END_EXIT && o->exit_code == 2) {
        enum err e = read_unusable(work, ret);
        return e == ERR_MISSING || e == ERR_LIMIT ? err_prefix(ERR_INVALID, "the validator") : e;
    }
    return err_set(ERR_INVALID, "the validator ended with %s (exit status %d): %s: %.200s",
                   run_end_name(o->end), o->exit_code, o->message, o->stderr_tail);
}

static enum err run_validator(const struct judge_validator *v, const struct judge_source *from,
                              const struct manifest *app, const struct run_spec *where,
                              enum judge_verdict *ret)
{
    const char *argv[RUN_ARGS_MAX + 1] = {0};
    struct run_spec spec = *where;
    struct run_outcome outcome;
    if (app->validator_count == 0 || app->validator_count > RUN_ARGS_MAX)
        return err_set(ERR_INVALID, "the app names no validator");
    memcpy(argv, app->validator, app->validator_count * sizeof *argv);
    spec.argv = argv;
    spec.stdout_path = SAID_PATH;
    spec.limits.cpu_ms = v->cpu_ms;
    spec.limits.wall_ms = v->wall_ms;
    spec.limits.memory_bytes = MEMORY_BYTES;
    spec.limits.processes = 16;
    TRY(judge_run_to_end(from, &spec, &outcome));
    return read_verdict(spec.work_folder, &outcome, ret);
}

static enum err lay_out(const struct judge_validator *v, const struct judge_source *from, const char *work,
                        const struct judge_answer *a, const struct judge_answer *b)
{
    char path[PATH_ROOM];
    TRY(file_remove_tree(work)); /* of a comparison that did not come to its end */
    TRY(blobs_room(v->blobs, a->bytes + b->bytes));
    TRY(file_join(path, sizeof path, work, "a"));
    TRY(judge_answer_unpack(from, a, path));
    TRY(file_join(path, sizeof path, work, "b"));
    return judge_answer_unpack(from, b, path);
}

enum err judge_validate(const struct judge_validator *v, const struct judge_source *from,
                        const struct manifest *app, const struct digest *bundle, const struct judge_answer *a,
                        const struct judge_answer *b, enum judge_verdict *ret)
{
    char bundle_folder[PATH_ROOM], work[PATH_ROOM], why[ERR_TEXT_BYTES_MAX];
    struct run_spec where = {.app_folder = bundle_folder,
                             .work_folder = work,
                             .limits.disk_bytes = a->bytes + b->bytes + DISK_SPARE_BYTES};
    TRY(judge_answer_go_on(from));
    TRY(judge_bundle_unpack(v, bundle, bundle_folder, sizeof bundle_folder));
    TRY(file_join(work, sizeof work, v->folder, "work"));
    enum err e = lay_out(v, from, work, a, b);
    if (e == ERR_OK)
        e = run_validator(v, from, app, &where, ret);
    snprintf(why, sizeof why, "%s", err_text());
    enum err removed = file_remove_tree(work);
    return e == ERR_OK ? removed : err_set(e, "%s", why);
}
