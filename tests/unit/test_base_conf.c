/* test_base_conf.c - settings from files and flags. */
#include "lib/temp.h"

#include <stdbool.h>
#include <string.h>

#include "base/conf.h"
#include "base/limits.h"

struct settings {
    char name[8];
    int64_t port;
    double share;
    bool open;
    int64_t lease_ms;
    uint64_t cache_bytes;
    char note[40];
};

#define AT(field) offsetof(struct settings, field)
static const struct conf_option options[] = {
    {"name", CONF_TEXT, AT(name), 8, "grid", 0, 0, "What it is called.\nShort.", "General"},
    {"listen_port", CONF_INT, AT(port), 0, "8443", 1, 65535, "Where hosts come.", NULL},
    {"share", CONF_REAL, AT(share), 0, "0.5", 0, 1, "How much.", NULL},
    {"open", CONF_BOOL, AT(open), 0, "yes", 0, 0, "For everybody?", "Access"},
    {"lease", CONF_DURATION_MS, AT(lease_ms), 0, "1h30m", 60000, 86400000, "How long.", NULL},
    {"cache", CONF_BYTES, AT(cache_bytes), 0, "1536M", 1 << 20, 0x1p40, "How large.", NULL},
    {"note", CONF_TEXT, AT(note), 40, NULL, 0, 0, NULL, NULL},
};
#define COUNT (sizeof options / sizeof *options)

static enum err parse(const char *text, struct settings *s)
{
    return conf_parse(options, COUNT, "test.conf", text, strlen(text), s);
}

static struct settings defaults(void)
{
    struct settings s;
    memset(&s, 0xee, sizeof s);
    conf_defaults(options, COUNT, &s);
    return s;
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    struct settings s = defaults();
    assert_string_equal(s.name, "grid");
    assert_int_equal(s.port, 8443);
    assert_true(s.share == 0.5 && s.open);
    assert_int_equal(s.lease_ms, 5400000);
    assert_int_equal(s.cache_bytes, 1536ull << 20);
    assert_string_equal(s.note, "");
}

static void a_file_sets_what_it_names(void **state)
{
    (void)state;
    struct settings s = defaults();
    assert_ok(parse("# comment\n\n  name =  b\xc3\xa5t \r\nlisten_port=1\n\tshare\t=\t0.25\n#open = "
                    "yes\nopen = no\nlease = 2h\n"
                    "cache = 2G\nnote = a # b = c  ",
                    &s));
    assert_string_equal(s.name, "b\xc3\xa5t");
    assert_int_equal(s.port, 1);
    assert_true(s.share == 0.25 && !s.open);
    assert_int_equal(s.lease_ms, 7200000);
    assert_int_equal(s.cache_bytes, 2ull << 30);
    assert_string_equal(s.note, "a # b = c");
    assert_ok(parse("name =\n", &s)); /* empty text */
    assert_string_equal(s.name, "");
    assert_ok(parse("", &s));
}

static void what_is_wrong_is_told_with_file_line_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } bad[] = {
        {"\nlisten_prot = 1",
         "test.conf line 2: there is no option 'listen_prot', did you mean 'listen_port'?"},
        {"colour = red", "test.conf line 1: there is no option 'colour'; the default file lists them all"},
        {"listen_port = 0", "test.conf line 1: listen_port: '0' is not from 1 to 65535"},
        {"listen_port = x", "test.conf line 1: listen_port: 'x' is not a whole number"},
        {"listen_port =", "test.conf line 1: listen_port: '' is not a whole number"},
        {"lease = 3d", "test.conf line 1: lease: '3d' is not from 1m to 1d"},
        {"cache = 4K", "test.conf line 1: cache: '4K' is not from 1M to 1T"},
        {"share = 1.5", "test.conf line 1: share: '1.5' is not from 0 to 1"},
        {"open = maybe", "test.conf line 1: open: 'maybe' is neither yes nor no"},
        {"name = 12345678", "test.conf line 1: name: '12345678...' is longer than 7 bytes"},
        {"name = a\n# x\nname = b", "test.conf line 3: name is set twice: here and in line 1"},
        {"name", "test.conf line 1: 'name' is not of the form name = value"},
        {"[section]", "test.conf line 1: '[section]' is not of the form name = value"},
        {"= 1", "test.conf line 1: there is no option ''"},
        {"name = \xff", "test.conf line 1: the line is not UTF-8 text"},
    };
    struct settings before = defaults(), s = before;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(parse(bad[i].text, &s) != ERR_OK);
        if (strncmp(err_text(), bad[i].sentence, strlen(bad[i].sentence)) != 0)
            fail_msg("%s, wanted %s", err_text(), bad[i].sentence);
        assert_memory_equal(&before, &s, sizeof s);
    }
    assert_err(conf_parse(options, COUNT, "test.conf", "name = a\0b", 10, &s), ERR_INVALID);
}

static void a_wrong_line_undoes_the_good_ones_before_it(void **state)
{
    (void)state;
    struct settings before = defaults(), s = before;
    assert_err(parse("name = new\nlisten_port = 7\nopen = perhaps\n", &s), ERR_INVALID);
    assert_memory_equal(&before, &s, sizeof s);
}

static void lines_and_files_have_limits(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = {0};
    struct settings s = defaults();
    assert_ok(buf_printf(&text, "#%04095d\n", 0));
    assert_ok(conf_parse(options, COUNT, "test.conf", text.data, text.len, &s));
    buf_clear(&text);
    assert_ok(buf_printf(&text, "#%04096d\n", 0));
    assert_err(conf_parse(options, COUNT, "test.conf", text.data, text.len, &s), ERR_LIMIT);
    buf_clear(&text);
    while (text.len <= CONFIG_BYTES_MAX)
        assert_ok(buf_add_text(&text, "# comment\n"));
    assert_err(conf_parse(options, COUNT, "test.conf", text.data, text.len, &s), ERR_LIMIT);
}

static void flags_use_the_same_table(void **state)
{
    (void)state;
    struct settings s = defaults();
    assert_ok(conf_set(options, COUNT, "lease", "90", &s));
    assert_int_equal(s.lease_ms, 90000);
    assert_err(conf_set(options, COUNT, "lease", "1s", &s), ERR_INVALID);
    assert_err(conf_set(options, COUNT, "leas", "90", &s), ERR_INVALID);
    assert_string_equal(err_text(), "there is no option 'leas', did you mean 'lease'?");
    assert_int_equal(s.lease_ms, 90000);
}

static void the_default_file_is_all_comment_and_good_once_uncommented(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = {0};
    struct settings s = defaults(), wanted = s;
    assert_ok(conf_print_defaults(options, COUNT, &text));
    assert_ok(parse(text.data, &s));
    assert_memory_equal(&s, &wanted, sizeof s);
    assert_non_null(strstr(text.data, "# What it is called.\n# Short.\n#name = grid\n"));
    for (char *at = text.data; (at = strchr(at, '#')); at++)
        if (at[1] != ' ')
            *at = ' ';
    memset(&s, 0, sizeof s);
    s.port = 1;
    assert_ok(parse(text.data, &s));
    assert_int_equal(s.port, 8443);
    assert_int_equal(s.cache_bytes, 1536ull << 20);
}

static void present_values_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const char *const values[] = {"two", "443", "0.1", "no", "90s", "1023M", "x = y"};
    static const char *const shown[] = {"two", "443", "0.1", "no", "90s", "1023M", "x = y"};
    struct settings s = defaults();
    for (size_t i = 0; i < COUNT; i++) {
        BUF_AUTO struct buf text = {0};
        assert_ok(conf_set(options, COUNT, options[i].name, values[i], &s));
        assert_ok(conf_print_value(&options[i], &s, &text));
        assert_string_equal(text.data, shown[i]);
    }
    static const int64_t spans[] = {0, 1, 999, 1000, 61000, 3600000, 86400000, 90000000, INT64_MAX};
    struct conf_option any = options[4];
    any.min = any.max = 0;
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        BUF_AUTO struct buf text = {0};
        s.lease_ms = spans[i];
        assert_ok(conf_print_value(&any, &s, &text));
        s.lease_ms = -1;
        assert_ok(conf_set(&any, 1, "lease", text.data, &s));
        assert_true(s.lease_ms == spans[i]);
    }
}

static void a_file_is_loaded_and_named_when_it_is_missing(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct settings s = defaults();
    assert_ok(conf_load(options, COUNT, temp_file(&t, "a.conf", "name = file\n", 0600), &s));
    assert_string_equal(s.name, "file");
    assert_err(conf_load(options, COUNT, temp_path(&t, "gone.conf"), &s), ERR_MISSING);
    assert_non_null(strstr(err_text(), "gone.conf"));
    temp_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(a_file_sets_what_it_names),
        cmocka_unit_test(what_is_wrong_is_told_with_file_line_and_remedy),
        cmocka_unit_test(a_wrong_line_undoes_the_good_ones_before_it),
        cmocka_unit_test(lines_and_files_have_limits),
        cmocka_unit_test(flags_use_the_same_table),
        cmocka_unit_test(the_default_file_is_all_comment_and_good_once_uncommented),
        cmocka_unit_test(present_values_are_written_as_they_are_read),
        cmocka_unit_test(a_file_is_loaded_and_named_when_it_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
