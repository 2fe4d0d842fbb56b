/* fuzz_json.c - what parses is dumped, parses again and is dumped the same; walking and getting never read
 * past anything. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

static void get_everything(const struct json *v)
{
    const char *key = "", *text;
    const struct json *member;
    int64_t n;
    double r;
    bool b;
    for (size_t i = 0; json_each(v, i, &key, &member); i++) {
        enum err told[] = {json_get_string(v, "w", key, 8, &text),  json_opt_i64(v, "", key, -5, 5, 0, &n),
                           json_get_real(v, "w", key, 0, 1, &r),    json_opt_bool(v, "w", key, false, &b),
                           json_get_array(v, "w", key, 3, &member), json_opt_object(v, "w", key, &member)};
        for (size_t t = 0; t < sizeof told / sizeof *told; t++)
            assert(told[t] == ERR_OK || told[t] == ERR_INVALID || told[t] == ERR_LIMIT);
        get_everything(json_field(v, key));
    }
    for (size_t i = 0; json_kind(v) == JSON_IS_ARRAY && i < json_count(v); i++)
        get_everything(json_at(v, i));
    assert(!json_text(v) || str_is_utf8(json_text(v), json_text_len(v)));
    enum err strict = json_only(v, "w", (const char *const[]){"a", "b"}, 2);
    assert(strict == ERR_OK || strict == ERR_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct json_doc *doc = NULL, *again = NULL;
    if (json_parse((const char *)bytes, len, 1 << 16, &doc) != ERR_OK) {
        assert(!doc && *err_text());
        return 0;
    }
    BUF_AUTO struct buf first = {0}, second = {0};
    get_everything(json_root(doc));
    if (json_dump(json_root(doc), &first) != ERR_OK ||
        json_parse(first.data, first.len, first.len, &again) != ERR_OK ||
        json_dump(json_root(again), &second) != ERR_OK)
        __builtin_trap();
    assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    json_free(doc);
    json_free(again);
    return 0;
}
