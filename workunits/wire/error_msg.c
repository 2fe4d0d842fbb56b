/* error_msg.c - see error_msg.h */
#include "wire/error_msg.h"

#include "base/json.h"
#include "base/limits.h"

enum err error_write(enum err e, const char *message, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_object(&o, "error");
    json_out_string(&o, "code", err_word(e));
    json_out_string(&o, "message", message);
    json_out_close(&o);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err from_status(int status)
{
    for (int e = 1; e < ERR_COUNT; e++)
        if (err_http((enum err)e) == status)
            return (enum err)e;
    return status >= 500 ? ERR_UNREACHABLE : ERR_INVALID;
}

enum err error_from_reply(int status, const char *body, size_t len)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *error = NULL;
    const char *code = NULL, *message = NULL;
    if (len > 0 && json_parse(body, len, JSON_BODY_SMALL_BYTES_MAX, &doc) == ERR_OK)
        error = json_field(json_root(doc), "error");
    if (error) {
        code = json_text(json_field(error, "code"));
        message = json_text(json_field(error, "message"));
    }
    if (!code || !message || !*message)
        return err_set(from_status(status), "the server answered with status %d", status);
    enum err e = err_from_word(code);
    return err_set(e == ERR_OK ? ERR_INVALID : e, "%s", message);
}
