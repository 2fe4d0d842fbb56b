/* work_reply.c - the reply half of work_msg.h */
#include <string.h>

#include "base/merkle.h"
#include "base/str.h"
#include "wire/items.h"
#include "wire/work_msg.h"

static void unit_write(struct json_out *o, const struct work_unit *u)
{
    json_out_object(o, NULL);
    attempt_ref_write(o, "attempt", &u->id);
    json_out_i64(o, "deadline_ms", u->deadline_ms);
    if (u->spec) {
        json_out_string_len(o, "spec", u->spec, u->spec_len);
        json_out_string(o, "chunk", u->chunk);
        json_out_u64(o, "index", u->index);
        json_out_array(o, "path");
        for (uint32_t i = 0; i < u->path_len; i++)
            digest_write(o, NULL, &u->path[i]);
        json_out_close(o);
        digest_write(o, "release", &u->release);
        digest_write(o, "bundle", &u->bundle);
        if (u->audit)
            json_out_string(o, "audit", u->audit);
    }
    json_out_close(o);
}

static void acks_write(struct json_out *o, const struct work_reply *r)
{
    json_out_array(o, "acks");
    for (uint32_t i = 0; i < r->ack_count; i++) {
        json_out_object(o, NULL);
        attempt_ref_write(o, "attempt", &r->acks[i].id);
        json_out_string(o, "code", r->acks[i].code);
        if (r->acks[i].message)
            json_out_string(o, "message", r->acks[i].message);
        json_out_close(o);
    }
    json_out_close(o);
}

enum err work_reply_write(const struct work_reply *r, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    acks_write(&o, r);
    json_out_array(&o, "recall");
    for (uint32_t i = 0; i < r->recall_count; i++)
        attempt_ref_write(&o, NULL, &r->recall[i]);
    json_out_close(&o);
    json_out_array(&o, "units");
    for (uint32_t i = 0; i < r->unit_count; i++)
        unit_write(&o, &r->units[i]);
    json_out_close(&o);
    json_out_object(&o, "chunks");
    for (uint32_t i = 0; i < r->chunk_count; i++)
        json_out_raw(&o, r->chunks[i].name, r->chunks[i].envelope, r->chunks[i].envelope_len);
    json_out_close(&o);
    if (r->reason_code) {
        json_out_object(&o, "reason");
        json_out_string(&o, "code", r->reason_code);
        json_out_string(&o, "message", r->reason_message);
        json_out_close(&o);
    }
    json_out_i64(&o, "next_contact_ms", r->next_contact_ms);
    if (r->wait_ms)
        json_out_u64(&o, "wait_ms", r->wait_ms);
    if (r->message_count)
        words_write(&o, "messages", r->messages, r->message_count);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err id_read(const struct json *item, const char *where, struct attempt_ref *ret)
{
    const char *id = NULL;
    enum err e = json_get_string(item, where, "attempt", ID_TEXT_BYTES, &id);
    return e == ERR_OK ? attempt_id_parse(id, &ret->unit, &ret->attempt) : e;
}

static enum err acks_read(const struct json *root, struct arena *a, struct work_reply *r)
{
    const struct json *list = NULL;
    enum err e = json_opt_array(root, "", "acks", REPORTS_PER_REQUEST_MAX, &list);
    r->ack_count = (uint32_t)json_count(list);
    r->acks = arena_array(a, r->ack_count + 1, sizeof *r->acks);
    if (e == ERR_OK && !r->acks)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < r->ack_count; i++) {
        const struct json *item = json_at(list, i);
        e = id_read(item, "acks", &r->acks[i].id);
        if (e == ERR_OK)
            e = text_read(item, "acks", "code", 32, false, a, &r->acks[i].code);
        if (e == ERR_OK)
            e = text_read(item, "acks", "message", ERR_TEXT_BYTES_MAX, false, a, &r->acks[i].message);
        if (e == ERR_OK && !r->acks[i].code)
            e = err_set(ERR_INVALID, "acks[%u].code is missing", i);
    }
    return e;
}

static enum err path_read(const struct json *item, struct arena *a, struct work_unit *u)
{
    const struct json *list = NULL;
    enum err e = json_get_array(item, "units", "path", MERKLE_PATH_MAX, &list);
    u->path_len = (uint32_t)json_count(list);
    u->path = arena_array(a, u->path_len + 1, sizeof *u->path);
    if (e == ERR_OK && !u->path)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < u->path_len; i++)
        e = digest_parse(json_text(json_at(list, i)), &u->path[i]);
    return e;
}

static enum err unit_read(const struct json *item, struct arena *a, struct work_unit *u)
{
    const struct json *spec = json_field(item, "spec");
    int64_t index = 0;
    enum err e;
    if ((e = id_read(item, "units", &u->id)) != ERR_OK ||
        (e = json_get_i64(item, "units", "deadline_ms", 0, INT64_MAX, &u->deadline_ms)) != ERR_OK || !spec)
        return e;
    if (json_kind(spec) != JSON_IS_TEXT || json_text_len(spec) > WU_SPEC_BYTES_MAX)
        return err_set(ERR_INVALID, "units.spec must be a text of at most %u bytes", WU_SPEC_BYTES_MAX);
    u->spec_len = json_text_len(spec);
    u->spec = arena_bytes(a, json_text(spec), u->spec_len);
    if (!u->spec)
        return ERR_LIMIT;
    if ((e = text_read(item, "units", "chunk", NAME_BYTES_MAX, false, a, &u->chunk)) != ERR_OK ||
        (e = json_get_i64(item, "units", "index", 0, UINT32_MAX, &index)) != ERR_OK ||
        (e = path_read(item, a, u)) != ERR_OK ||
        (e = digest_read(item, "units", "release", &u->release)) != ERR_OK)
        return e;
    u->index = (uint32_t)index;
    if ((e = text_read(item, "units", "audit", AUDIT_TEXT_BYTES, false, a, &u->audit)) != ERR_OK)
        return e;
    struct audit audit;
    if (u->audit && (e = audit_parse(u->audit, &audit)) != ERR_OK)
        return e;
    return digest_read(item, "units", "bundle", &u->bundle);
}

static enum err chunks_read(const struct json *root, struct arena *a, struct work_reply *r)
{
    const struct json *map = NULL, *value;
    const char *name;
    enum err e = json_opt_object(root, "", "chunks", &map);
    r->chunk_count = (uint32_t)json_count(map);
    if (e == ERR_OK && r->chunk_count > LEASES_PER_REQUEST_MAX)
        e = err_set(ERR_LIMIT, "chunks has more than %d entries", LEASES_PER_REQUEST_MAX);
    r->chunks = e == ERR_OK ? arena_array(a, r->chunk_count + 1, sizeof *r->chunks) : NULL;
    if (e == ERR_OK && !r->chunks)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && json_each(map, i, &name, &value); i++) {
        BUF_AUTO struct buf text = {.bytes_max = 2 * ENVELOPE_BYTES_MAX};
        e = json_dump(value, &text);
        if (e == ERR_OK)
            e = text_keep(a, name, &r->chunks[i].name);
        if (e == ERR_OK && !(r->chunks[i].envelope = arena_bytes(a, text.data, text.len)))
            e = ERR_LIMIT;
        r->chunks[i].envelope_len = text.len;
    }
    return e;
}

static enum err lists_read(const struct json *root, struct arena *a, struct work_reply *r)
{
    const struct json *recall, *units;
    enum err e = json_opt_array(root, "", "recall", HELD_PER_REQUEST_MAX, &recall);
    if (e == ERR_OK)
        e = json_opt_array(root, "", "units", LEASES_PER_REQUEST_MAX + HELD_PER_REQUEST_MAX, &units);
    if (e != ERR_OK)
        return e;
    r->recall_count = (uint32_t)json_count(recall);
    r->recall = arena_array(a, r->recall_count + 1, sizeof *r->recall);
    r->unit_count = (uint32_t)json_count(units);
    r->units = arena_array(a, r->unit_count + 1, sizeof *r->units);
    if (!r->recall || !r->units)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < r->recall_count; i++)
        e = attempt_id_parse(json_text(json_at(recall, i)), &r->recall[i].unit, &r->recall[i].attempt);
    for (uint32_t i = 0; e == ERR_OK && i < r->unit_count; i++)
        e = unit_read(json_at(units, i), a, &r->units[i]);
    return e;
}

enum err work_reply_parse(const char *body, size_t len, struct arena *a, struct work_reply *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct work_reply r = {0};
    const struct json *reason;
    int64_t wait_ms = 0;
    enum err e = json_parse(body, len, 2 * JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc);
    if ((e = acks_read(root, a, &r)) != ERR_OK || (e = lists_read(root, a, &r)) != ERR_OK ||
        (e = chunks_read(root, a, &r)) != ERR_OK ||
        (e = json_opt_object(root, "", "reason", &reason)) != ERR_OK ||
        (e = json_opt_i64(root, "", "next_contact_ms", 0, INT64_MAX / 4, 60000, &r.next_contact_ms)) !=
            ERR_OK ||
        (e = json_opt_i64(root, "", "wait_ms", 0, INT64_MAX / 4, 0, &wait_ms)) != ERR_OK ||
        (e = words_read(root, "", "messages", 64, 2000, a, &r.messages, &r.message_count)) != ERR_OK)
        return e;
    if (reason && ((e = text_read(reason, "reason", "code", 32, false, a, &r.reason_code)) != ERR_OK ||
                   (e = text_read(reason, "reason", "message", ERR_TEXT_BYTES_MAX, false, a,
                                  &r.reason_message)) != ERR_OK))
        return e;
    r.wait_ms = (uint32_t)(wait_ms < WORK_WAIT_MS_MAX ? wait_ms : WORK_WAIT_MS_MAX);
    *ret = r;
    return ERR_OK;
}
