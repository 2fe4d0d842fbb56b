/* Prints workunits/rules/LIFECYCLE.md from the tables (run with --print), and as a test holds that the file
 * is current. */
#include <stdio.h>
#include <string.h>

#include "lib/t.h"
#include "rules/wu.h"

#define PAGE_BYTES_MAX (64u << 10)

static void print_moves(FILE *out, uint32_t count, const char *(*name)(uint32_t),
                        bool (*may)(uint32_t, uint32_t))
{
    fputs("| from | to |\n| --- | --- |\n", out);
    for (uint32_t from = 0; from < count; from++) {
        const char *comma = "";
        fprintf(out, "| %s | ", name(from));
        for (uint32_t to = 0; to < count; to++) {
            if (!may(from, to))
                continue;
            fprintf(out, "%s%s", comma, name(to));
            comma = ", ";
        }
        fprintf(out, "%s |\n", *comma ? "" : "(never changes)");
    }
    fputs("\n", out);
}

static const char *unit_name(uint32_t s)
{
    return wu_state_name((enum wu_state)s);
}

static bool unit_may(uint32_t from, uint32_t to)
{
    return wu_may_move((enum wu_state)from, (enum wu_state)to);
}

static const char *attempt_name(uint32_t s)
{
    return attempt_state_name((enum attempt_state)s);
}

static bool attempt_may(uint32_t from, uint32_t to)
{
    return attempt_may_move((enum attempt_state)from, (enum attempt_state)to);
}

static void print_takers(FILE *out)
{
    fputs("| event |", out);
    for (uint32_t s = 0; s < WU_STATES; s++)
        fprintf(out, " %s |", unit_name(s));
    fputs("\n| --- |", out);
    for (uint32_t s = 0; s < WU_STATES; s++)
        fputs(" --- |", out);
    for (uint32_t k = 0; k < WU_EVENTS; k++) {
        fprintf(out, "\n| %s |", wu_event_name((enum wu_event_kind)k));
        for (uint32_t s = 0; s < WU_STATES; s++)
            fputs(wu_may_take((enum wu_state)s, (enum wu_event_kind)k) ? " x |" : "  |", out);
    }
    fputs("\n\n", out);
}

static void print_words(FILE *out)
{
    fputs("Reasons of an attempt's error, * counts towards max_error_attempts:", out);
    for (uint32_t e = ATTEMPT_ERROR_NONE + 1; e < ATTEMPT_ERRORS; e++)
        fprintf(out, " %s%s", attempt_error_name((enum attempt_error)e),
                attempt_error_counts((enum attempt_error)e) ? "*" : "");
    fputs(".\n\nReasons of a unit's failure:", out);
    for (uint32_t f = WU_FAILURE_NONE + 1; f < WU_FAILURES; f++)
        fprintf(out, " %s", wu_failure_name((enum wu_failure)f));
    fputs(".\n\nEffects of a step:", out);
    for (uint32_t k = 0; k < WU_FX_KINDS; k++)
        fprintf(out, " %s", wu_effect_name((enum wu_effect_kind)k));
    fputs(".\n", out);
}

static void print_page(FILE *out)
{
    fputs("# The life of a work unit\n\n"
          "Printed from the tables of the code by `test_lifecycle --print`; a test holds this page current. "
          "What the\n"
          "words mean stands in `wu.h`.\n\n"
          "## A unit moves\n\n",
          out);
    print_moves(out, WU_STATES, unit_name, unit_may);
    fputs("## An attempt moves\n\n", out);
    print_moves(out, ATTEMPT_STATES, attempt_name, attempt_may);
    fputs("## A unit takes an event in these states, in others it is stale\n\n", out);
    print_takers(out);
    fputs("## Words\n\n", out);
    print_words(out);
}

static void the_page_of_the_lifecycle_is_the_one_the_tables_print(void **state)
{
    (void)state;
    static char printed[PAGE_BYTES_MAX], stored[PAGE_BYTES_MAX];
    FILE *out = fmemopen(printed, sizeof printed - 1, "w");
    assert_non_null(out);
    print_page(out);
    fclose(out);
    FILE *in = fopen(TESTS_FOLDER "/../workunits/rules/LIFECYCLE.md", "r");
    assert_non_null(in);
    stored[fread(stored, 1, sizeof stored - 1, in)] = 0;
    fclose(in);
    assert_string_equal(printed, stored);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_of_the_lifecycle_is_the_one_the_tables_print),
    };
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        print_page(stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
