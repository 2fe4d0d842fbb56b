#include "lib/t.h"

#include "client/cli/parts.h"
#include "client/cli/units.h"
#include "lib/temp.h"

static const struct cli_option options[] = {
    {"array", 'a', "A..B", "", NULL, false},      {"each-line", 0, "FILE", "", NULL, false},
    {"glob", 'g', "PATTERN", "", NULL, true},     {"each-file", 0, "PATTERN", "", NULL, true},
    {"as", 0, "PATH", "", NULL, false},           {"sweep", 0, "NAME=A,B", "", NULL, true},
    {"limit", 'l', "NAME=VALUE", "", NULL, true},
};
static const struct cli_command command = {.words = "submit",
                                           .usage = "APP",
                                           .summary = "",
                                           .options = options,
                                           .option_count = sizeof options / sizeof *options,
                                           .words_max = 1,
                                           .rest = true};

static struct arena arena;

static enum err parse(struct args *ret, const char *const *words)
{
    char *argv[32];
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = (char *)words[argc];
    return args_parse(&command, argc, argv, &arena, ret);
}

#define UNITS(ret, ...)                                                                                      \
    do {                                                                                                     \
        const char *const list[] = {__VA_ARGS__, NULL};                                                      \
        struct args args;                                                                                    \
        assert_ok(parse(&args, list));                                                                       \
        assert_ok(units_open(&args, &arena, ret));                                                           \
    } while (0)

#define UNITS_ERR(expected, ...)                                                                             \
    do {                                                                                                     \
        const char *const list[] = {__VA_ARGS__, NULL};                                                      \
        struct args args;                                                                                    \
        struct units none;                                                                                   \
        assert_ok(parse(&args, list));                                                                       \
        assert_err(units_open(&args, &arena, &none), expected);                                              \
        units_done(&none);                                                                                   \
    } while (0)

/* Unit i's variable of that name; NULL when it has none. */
static const char *var(const struct units *u, uint64_t i, const char *name)
{
    struct variable vars[UNITS_VARS_MAX];
    const char *file;
    uint32_t count;
    assert_ok(units_vars(u, i, &arena, vars, &count, &file));
    for (uint32_t n = 0; n < count; n++)
        if (strcmp(vars[n].name, name) == 0)
            return vars[n].value;
    return NULL;
}

static void a_range_gives_a_unit_for_each_number(void **state)
{
    (void)state;
    struct units u;
    UNITS(&u, "--array", "3..10:2");
    assert_int_equal(u.count, 4);
    assert_string_equal(var(&u, 0, ""), "3");
    assert_string_equal(var(&u, 3, ""), "9");
    units_done(&u);
    UNITS(&u, "--array=-2..2");
    assert_int_equal(u.count, 5);
    assert_string_equal(var(&u, 0, ""), "-2");
    units_done(&u);
    UNITS(&u, "-a1-100");
    assert_int_equal(u.count, 100);
    units_done(&u);
}

static void a_range_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "x",
                                      "1..",
                                      "5..1",
                                      "1..2..3",
                                      "1..10:0",
                                      "1..10:-1",
                                      "1 .. 3",
                                      "1..10x",
                                      "0..9999999999",
                                      "9999999999999999999..1"};
    int64_t first, last, step;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parts_range(bad[i], &first, &last, &step) == ERR_OK)
            fail_msg("'%s' was taken", bad[i]);
}

static void a_file_of_lines_gives_a_unit_for_each_line_that_is_not_empty(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct units u;
    UNITS(&u, "--each-line", temp_file(&t, "lines", "one\r\n\n two words \nlast", 0644));
    assert_int_equal(u.count, 3);
    assert_string_equal(var(&u, 0, ""), "one");
    assert_string_equal(var(&u, 1, ""), " two words ");
    assert_string_equal(var(&u, 2, ""), "last");
    units_done(&u);
    UNITS_ERR(ERR_INVALID, "--each-line", temp_file(&t, "empty", "\n\n", 0644));
    UNITS_ERR(ERR_MISSING, "--each-line", temp_path(&t, "nothing"));
    temp_done(&t);
}

static void a_line_with_a_nul_is_refused_rather_than_cut(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "nul");
    assert_ok(file_write_atomic(path, "a\0b\nc\n", 6, 0644));
    UNITS_ERR(ERR_INVALID, "--each-line", path);
    temp_done(&t);
}

static void a_pattern_gives_a_unit_for_each_file_in_order(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct units u;
    char pattern[TEMP_PATH_BYTES];
    temp_file(&t, "b.fa", "b", 0644);
    temp_file(&t, "a.fa", "a", 0644);
    assert_ok(file_make_folders(temp_path(&t, "folder.fa"), 0755));
    snprintf(pattern, sizeof pattern, "%s/*.fa", t.folder);
    UNITS(&u, "--glob", pattern);
    assert_int_equal(u.count, 2);
    assert_string_equal(var(&u, 0, ""), "a.fa"); /* an absolute path is nothing for the program */
    assert_string_equal(var(&u, 1, "name"), "b.fa");
    assert_string_equal(var(&u, 1, "stem"), "b");
    units_done(&u);
    UNITS(&u, "--glob", pattern, "--as", "in/seq.fa");
    assert_string_equal(var(&u, 1, ""), "in/seq.fa");
    assert_string_equal(var(&u, 1, "name"), "b.fa");
    units_done(&u);
    UNITS_ERR(ERR_INVALID, "--glob", pattern, "--as", "../up");
    UNITS_ERR(ERR_INVALID, "--array", "1..2", "--as", "x");
    snprintf(pattern, sizeof pattern, "%s/*.none", t.folder);
    UNITS_ERR(ERR_MISSING, "--glob", pattern);
    temp_done(&t);
}

static void sweeps_combine_with_each_other_and_the_last_turns_fastest(void **state)
{
    (void)state;
    struct units u;
    UNITS(&u, "--array", "1..2", "--sweep", "x=a,b", "--sweep", "n=10..30:10");
    assert_int_equal(u.count, 12);
    assert_string_equal(var(&u, 0, ""), "1");
    assert_string_equal(var(&u, 0, "x"), "a");
    assert_string_equal(var(&u, 0, "n"), "10");
    assert_string_equal(var(&u, 1, "n"), "20");
    assert_string_equal(var(&u, 3, "x"), "b");
    assert_string_equal(var(&u, 6, ""), "2");
    assert_string_equal(var(&u, 11, "n"), "30");
    units_done(&u);
    UNITS_ERR(ERR_INVALID, "--sweep", "x=1,2", "--sweep", "x=3");
    UNITS_ERR(ERR_INVALID, "--sweep", "x");
    UNITS_ERR(ERR_LIMIT, "--array", "1..20000000", "--sweep", "x=1,2");
    UNITS_ERR(ERR_INVALID, "--array", "1..2", "--each-line", "/dev/null");
}

static void without_a_source_there_is_one_unit(void **state)
{
    (void)state;
    struct units u;
    UNITS(&u, "app");
    assert_int_equal(u.count, 1);
    assert_null(var(&u, 0, ""));
    units_done(&u);
}

static void options_are_read_as_they_are_written_in_any_shell(void **state)
{
    (void)state;
    struct args a;
    const char *const good[] = {"app",         "--array=1..3", "--sweep", "x=1", "-gin/*",
                                "--sweep=y=2", "--",           "--json",  "-",   NULL};
    assert_ok(parse(&a, good));
    assert_int_equal(a.word_count, 1);
    assert_string_equal(args_text(&a, "array", ""), "1..3");
    assert_string_equal(args_each(&a, "sweep", 1), "y=2");
    assert_null(args_each(&a, "sweep", 2));
    assert_string_equal(args_text(&a, "glob", ""), "in/*");
    assert_int_equal(a.rest_count, 2);
    assert_string_equal(a.rest[0], "--json");
    const char *const unknown[] = {"--arry", "1..2", NULL}, *const bare[] = {"--array", NULL},
                      *const twice[] = {"--array", "1", "--array", "2", NULL},
                      *const flag[] = {"--json=1", NULL}, *const word[] = {"app", "command", NULL};
    assert_err(parse(&a, unknown), ERR_INVALID);
    assert_non_null(strstr(err_text(), "did you mean --array"));
    assert_err(parse(&a, bare), ERR_INVALID);
    assert_err(parse(&a, twice), ERR_INVALID);
    assert_err(parse(&a, flag), ERR_INVALID);
    assert_err(parse(&a, word), ERR_INVALID);
    assert_non_null(strstr(err_text(), "--"));
}

static void limits_are_named_in_words_people_use(void **state)
{
    (void)state;
    struct args a;
    struct wu_limits l = {0};
    const char *const good[] = {"-lcpu=1h30m", "--limit", "memory=1.5G", "--limit", "processes=8", NULL};
    const char *const bad[] = {"--limit", "memry=1G", NULL}, *const worse[] = {"--limit", "cpu=soon", NULL};
    assert_ok(parse(&a, good));
    assert_ok(parts_limits(&a, &l));
    assert_int_equal(l.cpu_ms, 5400000);
    assert_int_equal(l.memory_bytes, 3ull << 29);
    assert_int_equal(l.processes, 8);
    assert_ok(parse(&a, bad));
    assert_err(parts_limits(&a, &l), ERR_INVALID);
    assert_non_null(strstr(err_text(), "did you mean memory"));
    assert_ok(parse(&a, worse));
    assert_err(parts_limits(&a, &l), ERR_INVALID);
    assert_non_null(strstr(err_text(), "--limit cpu=soon"));
}

static void outputs_inputs_and_comparisons_are_read_from_one_word(void **state)
{
    (void)state;
    struct output_spec o;
    struct manifest m = {0};
    const char *file, *path;
    assert_ok(parts_output("out/a.txt", &arena, &o));
    assert_string_equal(o.path, "out/a.txt");
    assert_false(o.optional);
    assert_ok(parts_output("log?=2M", &arena, &o));
    assert_true(o.optional);
    assert_string_equal(o.path, "log");
    assert_int_equal(o.bytes_max, 2 << 20);
    assert_err(parts_output("../a", &arena, &o), ERR_INVALID);
    assert_err(parts_output("?", &arena, &o), ERR_INVALID);
    assert_ok(parts_file("input", "/data/big.bin", &arena, &file, &path));
    assert_string_equal(path, "big.bin");
    assert_ok(parts_file("input", "./a/b", &arena, &file, &path));
    assert_string_equal(path, "a/b");
    assert_ok(parts_file("input", "/x/y=z/w", &arena, &file, &path));
    assert_string_equal(file, "/x/y");
    assert_string_equal(path, "z/w");
    assert_err(parts_file("input", "a=/etc", &arena, &file, &path), ERR_INVALID);
    assert_ok(parts_compare("numeric:1e-9,0.001", &arena, &m));
    assert_int_equal(m.compare, COMPARE_NUMERIC);
    assert_true(m.compare_rel > 0.0009 && m.compare_abs < 1e-8);
    assert_ok(parts_compare("validator:bin/same -x", &arena, &m));
    assert_int_equal(m.validator_count, 2);
    assert_err(parts_compare("numeric:0", &arena, &m), ERR_INVALID);
    assert_err(parts_compare("about", &arena, &m), ERR_INVALID);
}

static int done(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_gives_a_unit_for_each_number),
        cmocka_unit_test(a_range_that_is_none_is_refused),
        cmocka_unit_test(a_file_of_lines_gives_a_unit_for_each_line_that_is_not_empty),
        cmocka_unit_test(a_line_with_a_nul_is_refused_rather_than_cut),
        cmocka_unit_test(a_pattern_gives_a_unit_for_each_file_in_order),
        cmocka_unit_test(sweeps_combine_with_each_other_and_the_last_turns_fastest),
        cmocka_unit_test(without_a_source_there_is_one_unit),
        cmocka_unit_test(options_are_read_as_they_are_written_in_any_shell),
        cmocka_unit_test(limits_are_named_in_words_people_use),
        cmocka_unit_test(outputs_inputs_and_comparisons_are_read_from_one_word),
    };
    return cmocka_run_group_tests(tests, NULL, done);
}
