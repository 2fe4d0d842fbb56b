/* fuzz_str.c - each reader of text against what writes that text: the first byte chooses the reader. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"

static void numbers(const char *text)
{
    char back[64];
    uint64_t u, bytes;
    int64_t i, ms;
    double d;
    if (str_to_u64(text, UINT64_MAX, &u) == ERR_OK)
        assert(strtoull(text, NULL, 10) == u);
    if (str_to_i64(text, INT64_MIN, INT64_MAX, &i) == ERR_OK)
        assert(strtoll(text, NULL, 10) == i);
    if (str_to_double(text, &d) == ERR_OK) {
        double again;
        assert(strtod(text, NULL) == d);
        str_from_double(d, back);
        if (str_to_double(back, &again) != ERR_OK || again != d)
            __builtin_trap();
    }
    if (str_to_duration_ms(text, &ms) == ERR_OK) {
        assert(ms >= 0);
        str_from_duration_ms(ms, back, sizeof back);
    }
    if (str_to_bytes(text, &bytes) == ERR_OK)
        str_from_bytes(bytes, back, sizeof back);
}

static void times_and_ids(const char *text)
{
    char back[ID_TEXT_BYTES];
    int64_t ms, again;
    wu_id id;
    uint32_t attempt;
    struct digest d;
    if (str_to_time_ms(text, &ms) == ERR_OK && ms >= -62167219200000 && ms <= 253402300799999) {
        str_from_time_ms(ms, back, sizeof back);
        if (str_to_time_ms(back, &again) != ERR_OK || again != ms)
            __builtin_trap();
    }
    if (wu_id_parse(text, &id) == ERR_OK) {
        wu_id_text(id, back);
        assert(strcmp(text, back) == 0);
    }
    if (attempt_id_parse(text, &id, &attempt) == ERR_OK) {
        assert(attempt < ATTEMPTS_MAX);
        attempt_id_text(id, attempt, back);
        assert(strcmp(text, back) == 0);
    }
    if (digest_parse(text, &d) == ERR_OK) {
        char hex[DIGEST_TEXT_BYTES];
        digest_text(&d, hex);
        assert(strcmp(text, hex) == 0);
    }
}

static void names_and_paths(const char *text)
{
    static const char *const words[] = {"listen", "log", "lease", "data"};
    if (str_is_name(text))
        assert(strlen(text) <= NAME_BYTES_MAX && str_is_safe_path(text));
    if (str_is_safe_path(text)) {
        assert(text[0] != '/' && strlen(text) <= PATH_BYTES_MAX && str_is_utf8(text, strlen(text)));
        assert(!strstr(text, "//") && !strstr(text, "/../") && strncmp(text, "../", 3) != 0 &&
               !str_ends(text, "/.."));
    }
    (void)str_nearest(text, words, 4);
}

static void encodings(const char *bytes, size_t len)
{
    BUF_AUTO struct buf raw = {0}, text = {0};
    if (str_unbase64(bytes, len, &raw) == ERR_OK) {
        if (str_base64(raw.data, raw.len, &text) != ERR_OK)
            __builtin_trap();
        assert(text.len == len && memcmp(text.data, bytes, len) == 0);
    }
    buf_clear(&raw);
    buf_clear(&text);
    if (str_base64(bytes, len, &text) != ERR_OK || str_unbase64(text.data, text.len, &raw) != ERR_OK)
        __builtin_trap();
    assert(raw.len == len && memcmp(raw.data, bytes, len) == 0);
}

/* Any bytes make a JSON text; it holds them unchanged if they were UTF-8 without NUL. */
static void json_text_of(const char *bytes, size_t len)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    struct json_doc *doc;
    json_out_init(&o, &text);
    json_out_array(&o, NULL);
    json_out_string_len(&o, NULL, bytes, len);
    json_out_close(&o);
    if (json_out_end(&o) != ERR_OK)
        __builtin_trap();
    if (memchr(bytes, 0, len))
        return;
    if (json_parse(text.data, text.len, text.len, &doc) != ERR_OK)
        __builtin_trap();
    const struct json *v = json_at(json_root(doc), 0);
    assert(!str_is_utf8(bytes, len) || (json_text_len(v) == len && memcmp(json_text(v), bytes, len) == 0));
    json_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1 || len > 1 << 16)
        return 0;
    char *text = malloc(len); /* the rest, with a terminator in place of the first byte */
    if (!text)
        return 0;
    memcpy(text, bytes + 1, len - 1);
    text[len - 1] = 0;
    switch (bytes[0] % 5) {
    case 0:
        numbers(text);
        break;
    case 1:
        times_and_ids(text);
        break;
    case 2:
        names_and_paths(text);
        break;
    case 3:
        encodings(text, len - 1);
        break;
    case 4:
        json_text_of(text, len - 1);
        break;
    }
    free(text);
    return 0;
}
