/* answer.c - see answer.h */
#include "wire/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file_ref *)a)->path, ((const struct file_ref *)b)->path);
}

enum err answer_print(struct file_ref *outputs, uint32_t count, struct buf *out)
{
    struct json_out o;
    if (count > 1)
        qsort(outputs, count, sizeof *outputs, by_path);
    for (uint32_t i = 0; i < count; i++) {
        if (!str_is_safe_path(outputs[i].path))
            return err_set(ERR_INVALID, "output '%.100s' is not a safe relative path", outputs[i].path);
        if (i > 0 && str_eq(outputs[i].path, outputs[i - 1].path))
            return err_set(ERR_INVALID, "output '%.100s' is reported twice", outputs[i].path);
    }
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    file_refs_write(&o, "outputs", outputs, count);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err answer_parse(const char *text, size_t len, struct arena *a, struct file_ref **ret,
                      uint32_t *ret_count)
{
    static const char *const fields[] = {"outputs"};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = json_parse(text, len, ENVELOPE_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = json_only(json_root(doc), "answer", fields, 1);
    return e == ERR_OK ? file_refs_read(json_root(doc), "", "outputs", WU_OUTPUTS_MAX, a, ret, ret_count) : e;
}

enum err answer_digest(struct file_ref *outputs, uint32_t count, struct digest *ret)
{
    BUF_AUTO struct buf text = {0};
    enum err e = answer_print(outputs, count, &text);
    if (e == ERR_OK)
        *ret = hash_bytes(text.data, text.len);
    return e;
}
