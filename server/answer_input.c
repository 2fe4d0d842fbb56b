/* answer_input.c - see answer_input.h */
#include "server/answer_input.h"

#include "server/try.h"

enum err answer_input_get(struct store *s, struct arena *a, wu_id unit, const struct digest *answer,
                          struct store_answer *ret)
{
    enum err e = store_answer_get(s, a, unit, answer, ret);
    return e == ERR_MISSING
               ? err_set(ERR_INVALID, "the answers of batch %u are gone: it was purged", wu_id_batch(unit))
               : e;
}

static enum err gone(const struct file_ref *file)
{
    return err_set(ERR_INVALID, "its file %.200s is gone: its batch was purged", file->path);
}

enum err answer_input_hold(struct blobs *blobs, const struct store_answer *answer, uint32_t i,
                           const char *holder)
{
    const struct file_ref *file = &answer->files[i];
    const struct text *bytes = &answer->data[i];
    struct blob_upload *up;
    bool complete, is_new;
    uint64_t held, at;
    enum err e = blob_find(blobs, &file->sha256, &held);
    if (e == ERR_OK)
        return blob_hold(blobs, &file->sha256, holder);
    if (e != ERR_MISSING)
        return e;
    if (!bytes->data)
        return gone(file);
    /* A server that was killed here may have left a part of it. */
    uint64_t from = blob_upload_offset(blobs, &file->sha256, holder);
    TRY(blob_upload_begin(blobs, &file->sha256, holder, from, bytes->len, &up));
    e = from < bytes->len ? blob_upload_write(up, bytes->data + from, bytes->len - from) : ERR_OK;
    enum err end = blob_upload_end(up, &complete, &is_new, &at);
    return e == ERR_OK ? end : e;
}

enum err answer_input_read(struct blobs *blobs, const struct store_answer *answer, uint32_t i,
                           size_t bytes_max, struct buf *out)
{
    const struct file_ref *file = &answer->files[i];
    if (answer->data[i].data)
        return buf_add(out, answer->data[i].data, answer->data[i].len);
    enum err e = blob_read(blobs, &file->sha256, bytes_max, out);
    return e == ERR_MISSING ? gone(file) : e;
}
