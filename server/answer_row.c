#include "server/answer_row.h"

#include <string.h>

#include "base/limits.h"
#include "server/try.h"
#include "server/varint.h"
#include "wire/answer.h"

static enum err add_varint(struct buf *out, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX + 1];
    return buf_add(out, bytes, varint_put(bytes, v));
}

enum err answer_row_write(const struct store_answer *answer, struct buf *out)
{
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct file_ref *f = &answer->files[i];
        bool own = answer->data[i].data != NULL;
        size_t len = strlen(f->path);
        TRY(add_varint(out, len));
        TRY(buf_add(out, f->path, len));
        TRY(add_varint(out, f->bytes * 2 + own));
        TRY(own ? buf_add(out, answer->data[i].data, answer->data[i].len)
                : buf_add(out, f->sha256.bytes, DIGEST_BYTES));
    }
    return ERR_OK;
}

static enum err corrupt(void)
{
    return err_set(ERR_CORRUPT, "a stored answer cannot be read");
}

static enum err read_output(const struct text *row, uint32_t *at, struct arena *a, struct file_ref *ret,
                            struct text *ret_data)
{
    const uint8_t *bytes = (const uint8_t *)row->data;
    uint64_t len, size;
    if (!varint_get(bytes, row->len, at, &len) || len > PATH_BYTES_MAX || len > row->len - *at)
        return corrupt();
    ret->path = arena_bytes(a, row->data + *at, (size_t)len);
    TRY(ret->path ? ERR_OK : ERR_NOMEM);
    *at += (uint32_t)len;
    if (!varint_get(bytes, row->len, at, &size))
        return corrupt();
    ret->bytes = size / 2;
    uint64_t follow = size & 1 ? ret->bytes : DIGEST_BYTES;
    if (follow > row->len - *at)
        return corrupt();
    *ret_data = (struct text){0};
    if (size & 1) {
        *ret_data = (struct text){arena_bytes(a, row->data + *at, (size_t)follow), (uint32_t)follow};
        TRY(ret_data->data ? ERR_OK : ERR_NOMEM);
        ret->sha256 = hash_bytes(ret_data->data, ret_data->len);
    } else {
        memcpy(ret->sha256.bytes, row->data + *at, DIGEST_BYTES);
    }
    *at += (uint32_t)follow;
    return ERR_OK;
}

enum err answer_room(struct arena *a, uint32_t count, struct store_answer *ret)
{
    *ret = (struct store_answer){.files = arena_array(a, count + 1u, sizeof *ret->files),
                                 .data = arena_array(a, count + 1u, sizeof *ret->data)};
    return ret->files && ret->data ? ERR_OK : ERR_NOMEM;
}

enum err answer_row_read(const struct text *row, const struct digest *name, struct arena *a,
                         struct store_answer *ret)
{
    struct digest is;
    TRY(answer_room(a, WU_OUTPUTS_MAX, ret));
    for (uint32_t at = 0; at < row->len; ret->count++)
        TRY(ret->count < WU_OUTPUTS_MAX
                ? read_output(row, &at, a, &ret->files[ret->count], &ret->data[ret->count])
                : corrupt());
    TRY(answer_digest(ret->files, ret->count, &is)); /* sorts what is sorted */
    return digest_eq(&is, name) ? ERR_OK : corrupt();
}
