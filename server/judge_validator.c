#include "server/judge_validator.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "run/run.h"
#include "server/try.h"
#include "wire/bundle.h"

#define SAID_PATH "verdict.txt"
enum { PATH_ROOM = 4096, BUNDLES_KEPT_MAX = 16 };

static const struct run_limits limits = {.cpu_ms = 60000,
                                         .wall_ms = 120000,
                                         .memory_bytes = 1ull << 30,
                                         .disk_bytes = 1ull << 30,
                                         .processes = 16};

static enum err count_entry(void *ctx, const struct file_entry *entry)
{
    *(uint32_t *)ctx += !strchr(entry->path, '/');
    return ERR_OK;
}

/* The bundle, unpacked once: bundles/DIGEST. When there are too many, all go. */
static enum err unpack_bundle(const struct judge_validator *v, const struct digest *bundle,
                              char ret[PATH_ROOM])
{
    char hex[DIGEST_TEXT_BYTES], all[PATH_ROOM];
    uint32_t count = 0;
    uint64_t bytes;
    int fd;
    digest_text(bundle, hex);
    snprintf(all, sizeof all, "%.3900s/bundles", v->folder);
    if ((size_t)snprintf(ret, PATH_ROOM, "%.3900s/bundles/%s", v->folder, hex) >= PATH_ROOM)
        return err_set(ERR_LIMIT, "the judge's folder has too long a path");
    if (file_exists(ret))
        return ERR_OK;
    TRY(file_make_folders(all, 0755));
    TRY(file_walk(all, count_entry, &count));
    if (count >= BUNDLES_KEPT_MAX) {
        TRY(file_remove_tree(all));
        TRY(file_make_folders(all, 0755));
    }
    TRY(blob_open(v->blobs, bundle, &fd, &bytes));
    enum err e = bundle_unpack(fd, ret);
    close(fd);
    return e;
}

static enum err run_to_end(const struct judge_validator *v, const struct run_spec *spec,
                           struct run_outcome *ret)
{
    struct run *run;
    bool ended = false;
    TRY(run_start(spec, clock_mono_ms(), &run));
    while (!ended) {
        struct pollfd p = {.fd = run_fd(run), .events = POLLIN};
        int64_t wait_ms = run_poll_ms(run);
        (void)poll(&p, 1, (int)(wait_ms < 200 ? wait_ms : 200));
        if (atomic_load(v->stop))
            run_stop(run);
        run_poll(run, clock_mono_ms(), &ended);
    }
    run_finish(run, ret);
    return atomic_load(v->stop) ? err_set(ERR_BUSY, "the server stops") : ERR_OK;
}

static enum err read_verdict(const char *work, const struct run_outcome *o, enum judge_verdict *ret)
{
    char path[PATH_ROOM];
    BUF_AUTO struct buf said = {0};
    if (o->end == RUN_END_OK || (o->end == RUN_END_EXIT && o->exit_code == 1)) {
        *ret = o->end == RUN_END_OK ? JUDGE_SAME : JUDGE_DIFFERENT;
        return ERR_OK;
    }
    if (o->end != RUN_END_EXIT || o->exit_code != 2)
        return err_set(ERR_INVALID, "the validator ended with %s (exit status %d): %s", run_end_name(o->end),
                       o->exit_code, o->message);
    TRY(file_join(path, sizeof path, work, SAID_PATH));
    TRY(file_read(path, 4096, &said));
    if (str_starts(buf_text(&said), "unusable a"))
        *ret = JUDGE_UNUSABLE_A;
    else if (str_starts(buf_text(&said), "unusable b"))
        *ret = JUDGE_UNUSABLE_B;
    else
        return err_set(ERR_INVALID,
                       "the validator ended with 2 and did not say \"unusable a\" or \"unusable b\"");
    return ERR_OK;
}

static enum err run_validator(const struct judge_validator *v, const struct manifest *app, const char *bundle,
                              const char *work, enum judge_verdict *ret)
{
    const char *argv[RUN_ARGS_MAX + 1] = {0};
    struct run_outcome outcome;
    if (app->validator_count == 0 || app->validator_count > RUN_ARGS_MAX)
        return err_set(ERR_INVALID, "the app names no validator");
    memcpy(argv, app->validator, app->validator_count * sizeof *argv);
    struct run_spec spec = {
        .app_folder = bundle, .work_folder = work, .argv = argv, .stdout_path = SAID_PATH, .limits = limits};
    TRY(run_to_end(v, &spec, &outcome));
    return read_verdict(work, &outcome, ret);
}

enum err judge_validate(const struct judge_validator *v, const struct judge_source *from,
                        const struct manifest *app, const struct digest *bundle, const struct judge_answer *a,
                        const struct judge_answer *b, enum judge_verdict *ret)
{
    char bundle_folder[PATH_ROOM], work[PATH_ROOM], path[PATH_ROOM];
    TRY(unpack_bundle(v, bundle, bundle_folder));
    TRY(file_join(work, sizeof work, v->folder, "work"));
    TRY(file_remove_tree(work));
    TRY(file_join(path, sizeof path, work, "a"));
    TRY(judge_answer_unpack(from, a, path));
    TRY(file_join(path, sizeof path, work, "b"));
    TRY(judge_answer_unpack(from, b, path));
    enum err e = run_validator(v, app, bundle_folder, work, ret);
    enum err removed = file_remove_tree(work);
    return e == ERR_OK ? removed : e;
}
