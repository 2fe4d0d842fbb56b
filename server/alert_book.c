/* alert_book.c - see alert_book.h */
#include "server/alert_book.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "server/try.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static void text_in(const struct json *obj, const char *key, char *ret, size_t room)
{
    const char *text = json_text(json_field(obj, key));
    snprintf(ret, room, "%s", text ? text : "");
}

static int64_t number_in(const struct json *obj, const char *key)
{
    return json_int(json_field(obj, key), 0);
}

static bool kind_in(const struct json *obj, enum alert_kind *ret)
{
    const char *name = json_text(json_field(obj, "kind"));
    for (int kind = 0; name && kind < ALERT_KINDS; kind++)
        if (str_eq(name, alert_kind_name((enum alert_kind)kind))) {
            *ret = (enum alert_kind)kind;
            return true;
        }
    return false;
}

static bool notice_in(const struct json *obj, enum alert_notice *ret)
{
    const char *name = json_text(json_field(obj, "notice"));
    for (int notice = ALERT_BEGINS; name && notice <= ALERT_ENDS; notice++)
        if (str_eq(name, alert_notice_name((enum alert_notice)notice))) {
            *ret = (enum alert_notice)notice;
            return true;
        }
    return false;
}

/* Kinds that this program does not know are left out. */
static void read_book(const struct json *root, struct alert_book *b)
{
    const struct json *kinds = json_field(root, "kinds"), *notes = json_field(root, "notes");
    enum alert_kind kind;
    for (size_t i = 0; i < json_count(kinds); i++) {
        const struct json *k = json_at(kinds, i);
        if (!kind_in(k, &kind))
            continue;
        struct alert_state *s = &b->states[kind];
        *s = (struct alert_state){.told = json_is_set(json_field(k, "told")),
                                  .since_ms = number_in(k, "since_ms"),
                                  .told_ms = number_in(k, "told_ms"),
                                  .ended_ms = number_in(k, "ended_ms"),
                                  .begins = (uint32_t)number_in(k, "begins")};
        text_in(k, "what", b->what[kind], sizeof b->what[kind]);
    }
    for (size_t i = 0; i < json_count(notes) && b->count < ALERT_NOTES_MAX; i++) {
        const struct json *n = json_at(notes, i);
        struct alert_note *to = &b->notes[b->count];
        if (!kind_in(n, &to->kind) || !notice_in(n, &to->notice))
            continue;
        to->at_ms = number_in(n, "at_ms");
        text_in(n, "what", to->what, sizeof to->what);
        text_in(n, "remedy", to->remedy, sizeof to->remedy);
        to->mail = json_is_set(json_field(n, "mail"));
        to->hook = json_is_set(json_field(n, "hook"));
        b->count++;
    }
    text_in(root, "reported", b->reported, sizeof b->reported);
}

enum err alert_book_load(const char *path, struct alert_book *ret)
{
    BUF_AUTO struct buf text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    *ret = (struct alert_book){.count = 0};
    enum err e = file_read(path, FILE_BYTES_MAX, &text);
    if (e == ERR_MISSING)
        return ERR_OK;
    TRY(e);
    if (json_parse(buf_text(&text), text.len, FILE_BYTES_MAX, &doc) != ERR_OK)
        return err_set(ERR_CORRUPT, "%s cannot be read: remove it; what lasts is told again then", path);
    read_book(json_root(doc), ret);
    return ERR_OK;
}

void alert_note_write(const struct alert_note *n, struct json_out *o)
{
    json_out_string(o, "kind", alert_kind_name(n->kind));
    json_out_string(o, "notice", alert_notice_name(n->notice));
    json_out_i64(o, "at_ms", n->at_ms);
    json_out_string(o, "what", n->what);
    json_out_string(o, "remedy", n->remedy);
}

static void write_kind(const struct alert_book *b, enum alert_kind kind, struct json_out *o)
{
    const struct alert_state *s = &b->states[kind];
    json_out_object(o, NULL);
    json_out_string(o, "kind", alert_kind_name(kind));
    json_out_bool(o, "told", s->told);
    json_out_i64(o, "since_ms", s->since_ms);
    json_out_i64(o, "told_ms", s->told_ms);
    json_out_i64(o, "ended_ms", s->ended_ms);
    json_out_i64(o, "begins", s->begins);
    json_out_string(o, "what", b->what[kind]);
    json_out_close(o);
}

enum err alert_book_save(const char *path, const struct alert_book *b)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    json_out_init(&o, &text);
    o.pretty = true;
    json_out_object(&o, NULL);
    json_out_array(&o, "kinds");
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        write_kind(b, (enum alert_kind)kind, &o);
    json_out_close(&o);
    json_out_array(&o, "notes");
    for (uint32_t i = 0; i < b->count; i++) {
        json_out_object(&o, NULL);
        alert_note_write(&b->notes[i], &o);
        json_out_bool(&o, "mail", b->notes[i].mail);
        json_out_bool(&o, "hook", b->notes[i].hook);
        json_out_close(&o);
    }
    json_out_close(&o);
    json_out_string(&o, "reported", b->reported);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return file_write_atomic(path, text.data, text.len, 0600);
}

void alert_book_add(struct alert_book *b, const struct alert_note *n)
{
    if (b->count == ALERT_NOTES_MAX)
        memmove(b->notes, b->notes + 1, --b->count * sizeof *b->notes);
    b->notes[b->count++] = *n;
}

void alert_book_tidy(struct alert_book *b)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->count; i++)
        if (b->notes[i].mail || b->notes[i].hook)
            b->notes[kept++] = b->notes[i];
    b->count = kept;
}
