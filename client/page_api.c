/* page_api.c - see page_api.h */
#include "client/page_api.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "client/control.h"
#include "client/page_files.h"
#include "wire/error_msg.h"

enum { OK = 200, CHANGES_MAX = 64 };

void page_refuse(int status, enum err e, struct page_reply *ret)
{
    buf_clear(&ret->body);
    ret->status = status;
    ret->content_type = "application/json";
    if (error_write(e, err_text(), &ret->body) != ERR_OK)
        buf_clear(&ret->body);
}

static void send_file(const char *path, struct page_reply *ret)
{
    const char *wanted = str_eq(path, "/") ? "/web/local/local.html" : path;
    for (size_t i = 0; i < page_file_count; i++) {
        if (!str_eq(page_files[i].path, wanted))
            continue;
        ret->status = OK;
        ret->content_type = page_files[i].content_type;
        ret->file = page_files[i].bytes;
        ret->file_len = page_files[i].len;
        return;
    }
    page_refuse(404, err_set(ERR_MISSING, "there is no page %s", path), ret);
}

/* {"NAME":"VALUE"|null,...} */
static enum err change_settings(const char *body, size_t len, struct house *h)
{
    struct settings_change changes[CHANGES_MAX];
    JSON_AUTO struct json_doc *doc = NULL;
    size_t count = 0;
    enum err e = json_parse(body, len, PAGE_BODY_BYTES_MAX, &doc);
    const char *names[CHANGES_MAX];
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < settings_table_count && i < CHANGES_MAX; i++)
        names[i] = settings_table[i].name;
    if ((e = json_only(json_root(doc), "", names, settings_table_count)) != ERR_OK)
        return e;
    for (size_t i = 0; i < settings_table_count && i < CHANGES_MAX; i++) {
        if (!json_field(json_root(doc), names[i]))
            continue;
        changes[count].name = names[i];
        e = json_opt_string(json_root(doc), "", names[i], 600, NULL, &changes[count].value);
        if (e != ERR_OK)
            return e;
        if (changes[count].value && !str_is_utf8(changes[count].value, strlen(changes[count].value)))
            return err_set(ERR_INVALID, "%s is not text", names[i]);
        count++;
    }
    return house_set(h, changes, count);
}

static enum err settings_reply(const struct page_request *r, const char *body, struct house *h,
                               struct buf *out)
{
    enum err e = r->post ? change_settings(body, r->body_len, h) : ERR_OK;
    return e == ERR_OK ? settings_describe(house_settings(h), out) : e;
}

static enum err reply_of(const struct page_request *r, const char *body, struct house *h, struct buf *out)
{
    if (str_eq(r->path, "/v1/status") && !r->post)
        return house_status(h, out);
    if (str_eq(r->path, "/v1/history") && !r->post)
        return house_history(h, out);
    if (str_eq(r->path, "/v1/settings"))
        return settings_reply(r, body, h, out);
    if (str_eq(r->path, "/v1/wish") && r->post)
        return control_obey(body, r->body_len, h, NULL, out);
    return err_set(ERR_MISSING, "there is no %s %s", r->post ? "POST" : "GET", r->path);
}

void page_answer(const struct page_request *r, const char *body, struct house *h, struct page_reply *ret)
{
    if (!str_starts(r->path, "/v1/")) {
        send_file(r->path, ret);
        return;
    }
    enum err e = reply_of(r, body, h, &ret->body);
    ret->status = OK;
    ret->content_type = "application/json";
    if (e != ERR_OK)
        page_refuse(err_http(e), e, ret);
}
