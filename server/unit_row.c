#include "server/unit_row.h"

#include <string.h>

#include "base/str.h"
#include "server/try.h"
#include "server/varint.h"

static uint32_t spec_len(const struct text *tail)
{
    const char *newline = tail->len ? memchr(tail->data, '\n', tail->len) : NULL;
    return newline ? (uint32_t)(newline - tail->data) : tail->len;
}

enum err unit_known_add(const struct text *manifest, struct buf *tail)
{
    enum err e = buf_add_char(tail, '\n');
    return e == ERR_OK ? buf_add(tail, manifest->data, manifest->len) : e;
}

struct text unit_known(const struct text *tail)
{
    uint32_t len = spec_len(tail);
    if (len == tail->len)
        return (struct text){.data = "", .len = 0};
    return (struct text){.data = tail->data + len + 1, .len = tail->len - len - 1};
}

struct wu_rules unit_rules(const struct wu_rules *of_batch, const struct text *tail)
{
    struct wu_rules r = *of_batch;
    if (unit_known(tail).len == 0)
        return r;
    r.quorum = 1;
    r.compare = WU_COMPARE_CHECK;
    r.escrow = WU_ESCROW_NONE;
    return r;
}

enum err unit_spec(wu_id id, const struct unit_array *array, const struct text *tail, struct buf *out)
{
    char name[ID_TEXT_BYTES], text[1 + STR_U64_BYTES] = "-";
    uint32_t len = spec_len(tail);
    wu_id_text(id, name);
    TRY(buf_add_text(out, "{\"unit\":\""));
    TRY(buf_add_text(out, name));
    if (len > 0) {
        TRY(buf_add_text(out, "\","));
        return buf_add(out, tail->data, len);
    }
    if (!array->is_array)
        return err_set(ERR_CORRUPT, "unit %s has no spec", name);
    int64_t value = array->first + (int64_t)wu_id_index(id) * array->step;
    str_from_u64(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, text + (value < 0));
    TRY(buf_add_text(out, "\",\"vars\":{\"\":\""));
    TRY(buf_add_text(out, text));
    return buf_add_text(out, "\"},\"inputs\":[]}");
}

uint32_t unit_use_write(uint32_t attempt, const struct store_attempt_use *use,
                        uint8_t ret_bytes[UNIT_USE_BYTES_MAX])
{
    uint32_t n = varint_put(ret_bytes, attempt);
    n += varint_put(ret_bytes + n, use->cpu_ms);
    n += varint_put(ret_bytes + n, use->wall_ms);
    return n + varint_put(ret_bytes + n, use->memory_bytes >> 10);
}

enum err unit_use_read(const uint8_t *bytes, uint32_t len, struct store_attempt_use ret_use[ATTEMPTS_MAX])
{
    for (uint32_t at = 0; at < len;) {
        uint64_t attempt, cpu_ms, wall_ms, memory;
        if (!varint_get(bytes, len, &at, &attempt) || attempt >= ATTEMPTS_MAX ||
            !varint_get(bytes, len, &at, &cpu_ms) || !varint_get(bytes, len, &at, &wall_ms) ||
            !varint_get(bytes, len, &at, &memory))
            return err_set(ERR_CORRUPT, "what an attempt used cannot be read");
        ret_use[attempt] = (struct store_attempt_use){
            .cpu_ms = (uint32_t)cpu_ms, .wall_ms = (uint32_t)wall_ms, .memory_bytes = memory << 10};
    }
    return ERR_OK;
}
