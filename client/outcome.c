/* outcome.c - see outcome.h */
#include "client/outcome.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"

#define REPLACEMENT "\xEF\xBF\xBD"

const char *outcome_text(struct arena *a, const char *text, size_t bytes_max, bool keep_end)
{
    size_t len = text ? strlen(text) : 0, from = 0;
    BUF_AUTO struct buf out = {0};
    if (len == 0)
        return NULL;
    for (size_t at = 0; at < len;) {
        size_t one = str_utf8_len(text + at, len - at);
        if (one == 0 ? buf_add_text(&out, REPLACEMENT) != ERR_OK : buf_add(&out, text + at, one) != ERR_OK)
            return NULL;
        at += one ? one : 1;
    }
    if (keep_end && out.len > bytes_max)
        from = out.len - bytes_max;
    while (from < out.len && ((unsigned char)out.data[from] & 0xC0) == 0x80)
        from++;
    size_t end = out.len - from > bytes_max ? from + bytes_max : out.len;
    while (end > from && end < out.len && ((unsigned char)out.data[end] & 0xC0) == 0x80)
        end--;
    return end > from ? arena_bytes(a, out.data + from, end - from) : NULL;
}

void outcome_write(struct json_out *o, const char *key, const struct outcome *x)
{
    json_out_object(o, key);
    json_out_string(o, "outcome", x->word);
    file_refs_write(o, "outputs", x->outputs, x->output_count);
    if (x->has_exit_code)
        json_out_i64(o, "exit_code", x->exit_code);
    if (x->has_signal)
        json_out_i64(o, "signal", x->signal);
    if (x->message)
        json_out_string(o, "message", x->message);
    if (x->stderr_tail)
        json_out_string(o, "stderr", x->stderr_tail);
    if (x->stdout_tail)
        json_out_string(o, "stdout", x->stdout_tail);
    json_out_i64(o, "cpu_ms", x->cpu_ms);
    json_out_i64(o, "wall_ms", x->wall_ms);
    json_out_u64(o, "memory_bytes", x->memory_bytes);
    if (x->has_release)
        digest_write(o, "release", &x->release);
    json_out_close(o);
}

static enum err opt_number(const struct json *obj, const char *key, bool *ret_has, int64_t *ret)
{
    *ret_has = json_field(obj, key) != NULL;
    return *ret_has ? json_get_i64(obj, "outcome", key, INT64_MIN, INT64_MAX, ret) : ERR_OK;
}

enum err outcome_read(const struct json *obj, struct arena *a, struct outcome *ret)
{
    struct outcome x = {0};
    int64_t memory = 0;
    const char *where = "outcome";
    enum err e;
    if ((e = text_read(obj, where, "outcome", NAME_BYTES_MAX, true, a, &x.word)) != ERR_OK ||
        (e = file_refs_read(obj, where, "outputs", WU_OUTPUTS_MAX, a, &x.outputs, &x.output_count)) !=
            ERR_OK ||
        (e = opt_number(obj, "exit_code", &x.has_exit_code, &x.exit_code)) != ERR_OK ||
        (e = opt_number(obj, "signal", &x.has_signal, &x.signal)) != ERR_OK ||
        (e = text_read(obj, where, "message", ERR_TEXT_BYTES_MAX, false, a, &x.message)) != ERR_OK ||
        (e = text_read(obj, where, "stderr", STDERR_TAIL_BYTES_MAX, false, a, &x.stderr_tail)) != ERR_OK ||
        (e = text_read(obj, where, "stdout", STDERR_TAIL_BYTES_MAX, false, a, &x.stdout_tail)) != ERR_OK ||
        (e = json_get_i64(obj, where, "cpu_ms", 0, INT64_MAX, &x.cpu_ms)) != ERR_OK ||
        (e = json_get_i64(obj, where, "wall_ms", 0, INT64_MAX, &x.wall_ms)) != ERR_OK ||
        (e = json_get_i64(obj, where, "memory_bytes", 0, INT64_MAX, &memory)) != ERR_OK)
        return e;
    x.memory_bytes = (uint64_t)memory;
    x.has_release = json_field(obj, "release") != NULL;
    if (x.has_release && (e = digest_read(obj, where, "release", &x.release)) != ERR_OK)
        return e;
    *ret = x;
    return ERR_OK;
}

bool outcome_uploads(const struct outcome *x)
{
    for (uint32_t i = 0; i < x->output_count; i++)
        if (x->outputs[i].bytes > INLINE_BYTES_MAX)
            return true;
    return false;
}
