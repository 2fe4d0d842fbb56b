#include "lib/t.h"

#include <sys/stat.h>

#include "base/json.h"
#include "base/str.h"
#include "client/cli/cli.h"
#include "client/cli/profile.h"
#include "client/cli/results.h"
#include "client/cli/show.h"
#include "lib/temp.h"

struct call {
    int status;
    char out[65536], err[8192];
};

/* dugnad with these words, ended by NULL. */
static struct call *call(const char *first, ...)
{
    struct call *c = calloc(1, sizeof *c);
    char *argv[32] = {(char *)"dugnad", (char *)first};
    int argc = first ? 2 : 1;
    va_list words;
    assert_non_null(c);
    va_start(words, first);
    for (char *w; first && argc < 31 && (w = va_arg(words, char *));)
        argv[argc++] = w;
    va_end(words);
    FILE *out = fmemopen(c->out, sizeof c->out - 1, "w"), *err = fmemopen(c->err, sizeof c->err - 1, "w");
    assert_non_null(out);
    assert_non_null(err);
    c->status = cli_main(argc, argv, out, err);
    fclose(out);
    fclose(err);
    return c;
}

static void expect_error(struct call *c, int status, const char *part)
{
    if (c->status != status || !strstr(c->err, part))
        fail_msg("status %d, '%s'; wanted %d and '%s'", c->status, c->err, status, part);
    free(c);
}

static void a_slip_is_answered_with_what_was_probably_meant(void **state)
{
    (void)state;
    expect_error(call("sumbit", NULL), 2, "did you mean 'dugnad submit'");
    expect_error(call("ap", "pack", NULL), 2, "did you mean 'dugnad app'");
    expect_error(call("app", "publich", NULL), 2, "did you mean 'dugnad app publish'");
    expect_error(call("jobs", NULL), 2, "it is 'dugnad ls' here");
    expect_error(call("kill", "7", NULL), 2, "it is 'dugnad cancel' here");
    expect_error(call("app", NULL), 2, "needs one of: pack");
    expect_error(call("submit", "x", "--aray", "1..2", NULL), 2, "did you mean --array");
    expect_error(call("status", "7.1", NULL), 2, "its batch is 7");
    expect_error(call("explain", "x", NULL), 2, "is no batch");
    expect_error(call("show", "7", NULL), 2, "BATCH.INDEX");
    expect_error(call(NULL), 2, "Usage");
}

static void a_validator_that_is_nowhere_is_found_out_when_the_app_is_packed(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *out = temp_path(&t, "app"), *program = TESTS_BUILD_FOLDER "/bin/dugnad-probe";
    static const char *const nowhere[] = {"validator:/no/such/program", "validator:bin/nothing out.txt",
                                          "validator:../no/such"};
    for (size_t i = 0; i < 3; i++)
        expect_error(call("app", "pack", program, "--out", out, "--compare", nowhere[i], NULL), 4,
                     "neither a file here nor one of the bundle");
    struct call *c =
        call("app", "pack", program, "--out", out, "--compare", "validator:/app/bin/dugnad-probe ok", NULL);
    assert_int_equal(c->status, 0);
    free(c);
    temp_done(&t);
}

static void options_of_every_command_may_stand_before_it(void **state)
{
    (void)state;
    struct call *c = call("--json", "--profile", "x", "version", NULL);
    assert_int_equal(c->status, 0);
    assert_non_null(strstr(c->out, "{\"version\""));
    free(c);
    expect_error(call("--json", NULL), 2, "without a command");
    expect_error(call("-q", "sumbit", NULL), 2, "did you mean 'dugnad submit'");
}

static void every_command_tells_what_it_does_and_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_table_count; i++) {
        char words[64], *rest = NULL;
        snprintf(words, sizeof words, "%s", cli_table[i]->words);
        char *first = strtok_r(words, " ", &rest), *second = strtok_r(NULL, " ", &rest);
        struct call *c = second ? call(first, second, "--help", NULL) : call(first, "--help", NULL);
        if (c->status != 0 || !strstr(c->out, cli_table[i]->summary) || !strstr(c->out, "--json"))
            fail_msg("dugnad %s --help: status %d\n%s%s", cli_table[i]->words, c->status, c->out, c->err);
        for (size_t n = 0; n < cli_table[i]->option_count; n++)
            if (!strstr(c->out, cli_table[i]->options[n].name))
                fail_msg("dugnad %s --help does not name --%s", cli_table[i]->words,
                         cli_table[i]->options[n].name);
        free(c);
    }
}

static void the_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_table_count; i++) {
        const struct cli_command *c = cli_table[i];
        assert_true(c->words_min <= c->words_max);
        assert_non_null(c->run);
        for (size_t j = 0; j < i; j++)
            assert_false(str_eq(c->words, cli_table[j]->words));
        for (size_t n = 0; n < c->option_count; n++)
            for (size_t m = 0; m < n; m++)
                if (str_eq(c->options[n].name, c->options[m].name) ||
                    (c->options[n].letter && c->options[n].letter == c->options[m].letter))
                    fail_msg("dugnad %s has --%s twice, or its letter", c->words, c->options[n].name);
    }
}

static void completions_name_every_command_and_option(void **state)
{
    (void)state;
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t s = 0; s < sizeof shells / sizeof *shells; s++) {
        struct call *c = call("completion", shells[s], NULL);
        assert_int_equal(c->status, 0);
        assert_true(strlen(c->out) < sizeof c->out - 2);
        for (size_t i = 0; i < cli_table_count; i++) {
            const char *space = strrchr(cli_table[i]->words, ' ');
            assert_non_null(strstr(c->out, space ? space + 1 : cli_table[i]->words));
            for (size_t n = 0; n < cli_table[i]->option_count; n++)
                assert_non_null(strstr(c->out, cli_table[i]->options[n].name));
        }
        free(c);
    }
    expect_error(call("completion", "tcsh", NULL), 2, "bash, zsh and fish");
}

static void without_a_login_the_way_to_one_is_told(void **state)
{
    (void)state;
    struct temp t = temp_new();
    assert_int_equal(setenv("DUGNAD_CONFIG", temp_path(&t, "login.json"), 1), 0);
    unsetenv("DUGNAD_URL");
    unsetenv("DUGNAD_TOKEN_FILE");
    expect_error(call("ls", NULL), 3, "dugnad login");
    struct call *c = call("ls", "--json", NULL);
    assert_int_equal(c->status, 3);
    assert_non_null(strstr(c->out, "{\"error\":{\"code\":\"auth\""));
    free(c);
    unsetenv("DUGNAD_CONFIG");
    temp_done(&t);
}

static void profiles_are_kept_private_and_come_back_as_they_were(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct profiles *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    const char *path = temp_path(&t, "sub/login.json");
    struct stat st;
    assert_non_null(a);
    assert_non_null(b);
    struct profile p = {.name = "grid",
                        .url = "https://localhost:1",
                        .project = "Grid",
                        .token = "dgu_1_x",
                        .root_version = 3,
                        .server_issued_ms = 99,
                        .pin_count = 1,
                        .pins = {"AAAA"}};
    p.project_key.bytes[0] = 7;
    assert_ok(profiles_put(a, &p));
    snprintf(p.name, sizeof p.name, "other");
    assert_ok(profiles_put(a, &p));
    assert_ok(profiles_put(a, &p));
    assert_int_equal(a->count, 2);
    snprintf(a->current, sizeof a->current, "grid");
    assert_ok(profiles_save(path, a));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(profiles_load(path, b));
    assert_memory_equal(profiles_find(b, NULL), &a->list[0], sizeof a->list[0]);
    profiles_drop(b, "grid");
    assert_null(profiles_find(b, "grid"));
    assert_string_equal(b->current, "other");
    assert_int_equal(chmod(path, 0644), 0);
    assert_err(profiles_load(path, b), ERR_DENIED);
    assert_ok(profiles_load(temp_path(&t, "none.json"), b));
    assert_int_equal(b->count, 0);
    free(a);
    free(b);
    temp_done(&t);
}

static void what_a_stranger_wrote_cannot_command_the_terminal(void **state)
{
    (void)state;
    BUF_AUTO struct buf out = {0};
    static const char text[] = "ok \x1b[2J\x07 gr\xc3\xbc\xc3\x9f \xc2\x9b"
                               "1m \xff\ttab\nline";
    assert_ok(show_safe(text, sizeof text - 1, false, &out));
    assert_string_equal(buf_text(&out), "ok ?[2J? gr\xc3\xbc\xc3\x9f ?1m ??tab?line");
    buf_clear(&out);
    assert_ok(show_safe("a\tb\nc\r", 6, true, &out));
    assert_string_equal(buf_text(&out), "a\tb\nc?");
}

static void name_of(const char *pattern, const char *item, enum err expected, const char *wanted)
{
    BUF_AUTO struct buf out = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    assert_ok(json_parse(item, strlen(item), 4096, &doc));
    assert_err(results_name(pattern, json_root(doc), "out/a.txt", &out), expected);
    if (wanted)
        assert_string_equal(buf_text(&out), wanted);
}

static void answers_go_where_the_pattern_says_and_never_out_of_the_folder(void **state)
{
    (void)state;
    static const char item[] = "{\"unit\":\"7.12\",\"vars\":{\"\":\"seq 3\",\"x\":\"../../etc\"}}";
    name_of("{unit}/{path}", item, ERR_OK, "7.12/out/a.txt");
    name_of("{index}-{path}", item, ERR_OK, "12-out/a.txt");
    name_of("{}.txt", item, ERR_OK, "seq 3.txt");
    static const char of_file[] = "{\"unit\":\"7.12\",\"vars\":{\"\":\"in/a.b.fa\"}}";
    name_of("{name}", of_file, ERR_OK, "a.b.fa");
    name_of("{stem}.{path}", of_file, ERR_OK, "a.b.out/a.txt");
    name_of("{stem}", "{\"unit\":\"7.12\",\"vars\":{\"\":\"in/a.fa\",\"stem\":\"own\"}}", ERR_OK, "own");
    name_of("{stem}", "{\"unit\":\"7.12\",\"vars\":{\"x\":\"in/a.fa\"}}", ERR_INVALID, NULL);
    name_of("{x}/passwd", item, ERR_INVALID, NULL);
    name_of("/tmp/{unit}", item, ERR_INVALID, NULL);
    name_of("{nothing}", item, ERR_INVALID, NULL);
}

static void results_go_on_where_a_call_was_cut_off(void **state)
{
    (void)state;
    struct temp t = temp_new();
    BUF_AUTO struct buf list = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    static const char item[] =
        "{\"seq\":5,\"unit\":\"7.0\",\"vars\":{},\"state\":\"accepted\",\"outputs\":[{\"path\":\"o\","
        "\"sha256\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\","
        "\"bytes\":5,\"data\":\"aGVsbG8=\"}]}";
    struct results r = {.batch = "7", .folder = t.folder, .pattern = "{unit}/{path}"};
    assert_ok(json_parse(item, strlen(item), 4096, &doc));
    assert_ok(results_open(&r));
    assert_ok(results_take(&r, json_root(doc)));
    assert_ok(results_save(&r));
    uint64_t whole = r.list_bytes;
    assert_ok(results_take(&r, json_root(doc))); /* written, not saved: as if the machine had stopped now */
    struct results again = {.batch = "7", .folder = t.folder, .pattern = "{unit}/{path}"};
    assert_ok(results_open(&again));
    assert_int_equal(again.after, 5);
    assert_int_equal(again.accepted, 1);
    assert_ok(file_read(temp_path(&t, "results.ndjson"), 65536, &list));
    assert_int_equal(list.len, whole);
    assert_null(strstr(buf_text(&list), "aGVsbG8"));
    buf_clear(&list);
    assert_ok(file_read(temp_path(&t, "7.0/o"), 100, &list));
    assert_string_equal(buf_text(&list), "hello");
    struct results other = {.batch = "8", .folder = t.folder, .pattern = "{unit}/{path}"};
    assert_err(results_open(&other), ERR_CONFLICT);
    temp_done(&t);
}

static void an_answer_that_is_not_its_digest_is_not_written(void **state)
{
    (void)state;
    struct temp t = temp_new();
    JSON_AUTO struct json_doc *doc = NULL;
    static const char item[] =
        "{\"seq\":5,\"unit\":\"7.0\",\"vars\":{},\"state\":\"accepted\",\"outputs\":[{\"path\":\"o\","
        "\"sha256\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\","
        "\"bytes\":5,\"data\":\"aGVsbGE=\"}]}";
    struct results r = {.batch = "7", .folder = t.folder, .pattern = "{unit}/{path}"};
    assert_ok(json_parse(item, strlen(item), 4096, &doc));
    assert_ok(results_open(&r));
    assert_err(results_take(&r, json_root(doc)), ERR_UNTRUSTED);
    assert_false(file_exists(temp_path(&t, "7.0/o")));
    temp_done(&t);
}

static const char unit_json[] =
    "{\"unit\":\"7.12\",\"state\":\"%s\",\"base_ms\":1000,\"canonical\":null,"
    "\"rules\":{\"quorum\":1,\"target_attempts\":1,\"errors_max\":3,\"attempts_max\":4,\"successes_max\":4,"
    "\"lease_ms\":60000,\"compare\":\"digest\"},\"attempts\":[{\"state\":\"leased\"}],"
    "\"history\":[[\"submit\",0],[\"lease\",5,0,3,9]]}";

static void a_history_is_replayed_offline_and_must_lead_to_what_is_stored(void **state)
{
    (void)state;
    struct temp t = temp_new();
    char text[1024];
    snprintf(text, sizeof text, unit_json, "open");
    struct call *c = call("replay", "--file", temp_file(&t, "good.json", text, 0644), NULL);
    if (c->status != 0 || !strstr(c->out, "2 events replayed"))
        fail_msg("status %d: %s%s", c->status, c->out, c->err);
    free(c);
    snprintf(text, sizeof text, unit_json, "failed");
    expect_error(call("replay", "--file", temp_file(&t, "bad.json", text, 0644), NULL), 12,
                 "the state is stored as failed and replays as open");
    temp_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_is_answered_with_what_was_probably_meant),
        cmocka_unit_test(a_validator_that_is_nowhere_is_found_out_when_the_app_is_packed),
        cmocka_unit_test(options_of_every_command_may_stand_before_it),
        cmocka_unit_test(every_command_tells_what_it_does_and_takes),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(completions_name_every_command_and_option),
        cmocka_unit_test(without_a_login_the_way_to_one_is_told),
        cmocka_unit_test(profiles_are_kept_private_and_come_back_as_they_were),
        cmocka_unit_test(what_a_stranger_wrote_cannot_command_the_terminal),
        cmocka_unit_test(answers_go_where_the_pattern_says_and_never_out_of_the_folder),
        cmocka_unit_test(results_go_on_where_a_call_was_cut_off),
        cmocka_unit_test(an_answer_that_is_not_its_digest_is_not_written),
        cmocka_unit_test(a_history_is_replayed_offline_and_must_lead_to_what_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
