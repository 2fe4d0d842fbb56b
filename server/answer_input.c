/* answer_input.c - see answer_input.h */
#include "server/answer_input.h"

#include "server/try.h"

static enum err gone(enum err e, const struct file_ref *file)
{
    return e == ERR_MISSING
               ? err_set(ERR_INVALID, "its file %.200s is gone: its batch was purged", file->path)
               : e;
}

enum err answer_input_hold(struct store *s, struct blobs *blobs, struct arena *a, uint32_t of_batch,
                           const struct file_ref *file, const char *holder)
{
    struct text bytes;
    struct blob_upload *up;
    bool complete, is_new;
    uint64_t held, at;
    enum err e = blob_find(blobs, &file->sha256, &held);
    if (e == ERR_OK)
        return blob_hold(blobs, &file->sha256, holder);
    if (e != ERR_MISSING)
        return e;
    TRY(gone(store_small_get(s, a, of_batch, &file->sha256, &bytes), file));
    /* A server that was killed here may have left a part of it. */
    uint64_t from = blob_upload_offset(blobs, &file->sha256, holder);
    TRY(blob_upload_begin(blobs, &file->sha256, holder, from, bytes.len, &up));
    e = from < bytes.len ? blob_upload_write(up, bytes.data + from, bytes.len - from) : ERR_OK;
    enum err end = blob_upload_end(up, &complete, &is_new, &at);
    return e == ERR_OK ? end : e;
}

enum err answer_input_read(struct store *s, struct blobs *blobs, struct arena *a, uint32_t of_batch,
                           const struct file_ref *file, size_t bytes_max, struct buf *out)
{
    struct text bytes;
    enum err e = blob_read(blobs, &file->sha256, bytes_max, out);
    if (e != ERR_MISSING)
        return e;
    TRY(gone(store_small_get(s, a, of_batch, &file->sha256, &bytes), file));
    return buf_add(out, bytes.data, bytes.len);
}
