/* fuzz_conf.c - a file is taken whole or changes nothing, and what was taken can be written and taken again.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/conf.h"

struct settings {
    char text[16];
    int64_t n;
    double real;
    bool yes;
    int64_t span_ms;
    uint64_t bytes;
};

static const struct conf_option options[] = {
    {"text", CONF_TEXT, offsetof(struct settings, text), 16, "a b", 0, 0, "Text.", "Group"},
    {"n", CONF_INT, offsetof(struct settings, n), 0, "7", -10, 1000000, "A number.", NULL},
    {"real", CONF_REAL, offsetof(struct settings, real), 0, "0.5", 0, 0, "A real.", NULL},
    {"yes", CONF_BOOL, offsetof(struct settings, yes), 0, "yes", 0, 0, "A choice.", NULL},
    {"span", CONF_DURATION_MS, offsetof(struct settings, span_ms), 0, "1h", 0, 0, "A time.", NULL},
    {"bytes", CONF_BYTES, offsetof(struct settings, bytes), 0, "1G", 0, 0, "A size.", NULL},
};
#define COUNT (sizeof options / sizeof *options)

static bool same(const struct settings *a, const struct settings *b)
{
    return strcmp(a->text, b->text) == 0 && a->n == b->n && a->real == b->real && a->yes == b->yes &&
           a->span_ms == b->span_ms && a->bytes == b->bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct settings s, before, back;
    memset(&s, 0, sizeof s);
    conf_defaults(options, COUNT, &s);
    memcpy(&before, &s, sizeof s);
    if (conf_parse(options, COUNT, "f", (const char *)bytes, len, &s) != ERR_OK) {
        assert(memcmp(&before, &s, sizeof s) == 0 && strncmp(err_text(), "f ", 2) == 0);
        return 0;
    }
    assert(memchr(s.text, 0, sizeof s.text) && s.n >= -10 && s.n <= 1000000 && s.span_ms >= 0);
    BUF_AUTO struct buf text = {0};
    for (size_t i = 0; i < COUNT; i++)
        if (buf_printf(&text, "%s = ", options[i].name) != ERR_OK ||
            conf_print_value(&options[i], &s, &text) != ERR_OK || buf_add_char(&text, '\n') != ERR_OK)
            __builtin_trap();
    memset(&back, 0, sizeof back);
    if (conf_parse(options, COUNT, "f", text.data, text.len, &back) != ERR_OK)
        __builtin_trap();
    assert(same(&s, &back));
    return 0;
}
