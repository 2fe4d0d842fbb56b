/* act_upload.c - the outputs that are too large for a report, one after the other. HEAD tells how much of one
 * is there already, PATCH sends the rest in pieces: whatever breaks in between costs a piece at most. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/str.h"
#include "client/act_in.h"

#define PIECE_BYTES (16ull << 20)

enum { HEAD_TIMEOUT_S = 60 };

static void next_output(struct act *a, uint32_t place);

static void failed(struct act *a, uint32_t place, enum err e, const struct net_reply *reply)
{
    if (err_retry(e) || e == ERR_AUTH || (e == ERR_UNTRUSTED && reply && reply->status == 0)) {
        snprintf(a->problem, sizeof a->problem, "%s", err_text());
        act_log_job(a, place, "upload_failed", err_text());
        act_tell(a, (struct plan_event){.kind = PLAN_UPLOAD_FAILED,
                                        .job = place,
                                        .err = e,
                                        .retry_after_ms =
                                            reply && reply->retry_after_ms > 0 ? reply->retry_after_ms : 0});
        if (e == ERR_UNTRUSTED)
            act_tell(a, (struct plan_event){.kind = PLAN_DOUBTED});
        return;
    }
    /* The server will not have it: then it has to know that there is no answer. */
    act_settle_error(a, place, e == ERR_LIMIT ? "output" : "other");
}

static void on_piece(void *ctx, enum err e, struct net_reply *reply);

static void send_piece(struct act *a, struct transfer *t)
{
    uint64_t left = t->bytes - t->offset;
    struct net_request request = {.method = "PATCH",
                                  .content_type = "application/octet-stream",
                                  .has_body_fd = true,
                                  .body_fd = t->fd,
                                  .body_offset = t->offset,
                                  .body_bytes = left < PIECE_BYTES ? left : PIECE_BYTES,
                                  .upload = true,
                                  .upload_bytes = t->bytes};
    uint32_t place = t->job;
    enum err e = act_start_request(a, t, &request, on_piece);
    if (e != ERR_OK) {
        act_transfer_end(a, t);
        failed(a, place, e, NULL);
    }
}

static void output_done(struct act *a, struct transfer *t)
{
    uint32_t place = t->job;
    act_transfer_end(a, t);
    a->jobs[place]->upload_next++;
    next_output(a, place);
}

static void on_piece(void *ctx, enum err e, struct net_reply *reply)
{
    struct transfer *t = ctx;
    struct act *a = t->act;
    uint32_t place = t->job;
    int64_t at = reply->upload_offset;
    if (e == ERR_OK && reply->status != 204) {
        output_done(a, t);
    } else if ((e == ERR_OK || e == ERR_CONFLICT) && at >= 0 && (uint64_t)at <= t->bytes &&
               (uint64_t)at != t->offset) {
        t->offset = (uint64_t)at;
        send_piece(a, t);
    } else {
        if (e == ERR_OK)
            e = err_set(ERR_IO, "the server does not say how much of the output it has");
        act_transfer_end(a, t);
        failed(a, place, e, reply);
    }
    net_reply_done(reply);
}

static void on_head(void *ctx, enum err e, struct net_reply *reply)
{
    struct transfer *t = ctx;
    struct act *a = t->act;
    uint32_t place = t->job;
    if (e == ERR_OK) {
        output_done(a, t);
    } else if (reply->status == 404) {
        int64_t at = reply->upload_offset;
        /* all of it: sent before, but a crash or the store behind the server kept it from being complete */
        t->offset = at > 0 && (uint64_t)at <= t->bytes ? (uint64_t)at : 0;
        send_piece(a, t);
    } else {
        act_transfer_end(a, t);
        failed(a, place, e, reply);
    }
    net_reply_done(reply);
}

static enum err open_output(struct act *a, struct job *j, struct transfer *t)
{
    char path[ACT_PATH_BYTES + 16], folder[ACT_PATH_BYTES], name[DIGEST_TEXT_BYTES], id[ID_TEXT_BYTES];
    const struct file_ref *output = &j->outcome.outputs[j->upload_next];
    act_answer_folder(a, &j->ids.id, folder);
    snprintf(path, sizeof path, "%s/%u", folder, j->upload_next);
    t->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (t->fd < 0)
        return err_set_errno(ERR_CORRUPT, "the output %s is gone", path);
    t->bytes = output->bytes;
    t->digest = output->sha256;
    digest_text(&output->sha256, name);
    attempt_id_text(j->ids.id.unit, j->ids.id.attempt, id);
    snprintf(t->url, sizeof t->url, "%s/v1/blobs/%s?attempt=%s", a->project->url, name, id);
    return ERR_OK;
}

static void next_output(struct act *a, uint32_t place)
{
    struct job *j = a->jobs[place];
    while (j->upload_next < j->outcome.output_count &&
           j->outcome.outputs[j->upload_next].bytes <= INLINE_BYTES_MAX)
        j->upload_next++;
    if (j->upload_next == j->outcome.output_count) {
        act_tell(a, (struct plan_event){.kind = PLAN_UPLOADED, .job = place});
        return;
    }
    struct transfer *t = act_transfer_new(a, place);
    enum err e = t ? open_output(a, j, t) : err_set(ERR_NOMEM, "out of memory");
    struct net_request request = {.method = "HEAD", .timeout_s = HEAD_TIMEOUT_S};
    if (e == ERR_OK)
        e = act_start_request(a, t, &request, on_head);
    if (e == ERR_OK)
        return;
    if (t)
        act_transfer_end(a, t);
    failed(a, place, e, NULL);
}

void act_upload(struct act *a, uint32_t place)
{
    act_sync_settled(a);
    a->jobs[place]->upload_next = 0; /* what is there already costs a HEAD */
    next_output(a, place);
}
