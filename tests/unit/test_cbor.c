/* CBOR is read as strictly as CTAP2 writes it; the examples are RFC 8949's. */
#include "lib/t.h"

#include <string.h>

#include "base/str.h"
#include "server/cbor.h"

static struct cbor of(const char *hex, uint8_t *room)
{
    size_t len = strlen(hex) / 2;
    assert_ok(str_unhex(hex, room, len));
    return (struct cbor){room, room + len};
}

static void numbers_and_texts_are_those_of_the_rfc(void **state)
{
    static const struct {
        const char *hex;
        enum cbor_kind kind;
        uint64_t value;
    } examples[] = {
        {"00", CBOR_UNSIGNED, 0},
        {"17", CBOR_UNSIGNED, 23},
        {"1818", CBOR_UNSIGNED, 24},
        {"1903e8", CBOR_UNSIGNED, 1000},
        {"1a000f4240", CBOR_UNSIGNED, 1000000},
        {"1bffffffffffffffff", CBOR_UNSIGNED, UINT64_MAX},
        {"20", CBOR_NEGATIVE, 0},
        {"3863", CBOR_NEGATIVE, 99},
        {"f4", CBOR_SIMPLE, 20},
        {"f6", CBOR_SIMPLE, 22},
        {"fb3ff199999999999a", CBOR_SIMPLE, 0x3ff199999999999a},
        {"4401020304", CBOR_BYTES, 4},
        {"6449455446", CBOR_TEXT, 4},
        {"83010203", CBOR_ARRAY, 3},
        {"a26161016162820203", CBOR_MAP, 2},
        {"c074323031332d30332d32315432303a30343a30305a", CBOR_TAG, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        uint8_t room[64];
        struct cbor_item item;
        struct cbor c = of(examples[i].hex, room), all = c;
        assert_ok(cbor_next(&c, &item));
        assert_int_equal(item.kind, examples[i].kind);
        assert_true(item.value == examples[i].value);
        assert_ok(cbor_skip(&all));
        assert_ptr_equal(all.at, all.end);
    }
    struct cbor_item text = {CBOR_TEXT, 4, (const uint8_t *)"IETF"},
                     minus = {.kind = CBOR_NEGATIVE, .value = 6};
    assert_true(cbor_is_text(&text, "IETF"));
    assert_false(cbor_is_text(&text, "IET"));
    assert_true(cbor_is_int(&minus, -7));
    assert_false(cbor_is_int(&minus, 6));
}

static void what_is_cut_off_indefinite_or_not_the_shortest_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "18",
        "1801",
        "190017",
        "1a0000ffff",
        "1b00000000ffffffff",
        "1c",
        "5f42010243030405ff",
        "9f01ff",
        "bf61610161629f0203ffff",
        "ff",
        "44010203",
        "8301",
        "a1",
        "a16161",
        "c0",
        "62c328",
        "5bffffffffffffffff",
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "f8",
        "f9",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t room[64];
        struct cbor c = of(bad[i], room);
        assert_err(cbor_skip(&c), ERR_INVALID);
    }
}

static void nesting_has_an_end(void **state)
{
    uint8_t room[64];
    char hex[2 * CBOR_DEPTH_MAX + 3] = "";
    (void)state;
    for (int i = 0; i < CBOR_DEPTH_MAX - 1; i++)
        strcat(hex, "81");
    strcat(hex, "00");
    struct cbor good = of(hex, room);
    assert_ok(cbor_skip(&good));
    memmove(hex + 2, hex, strlen(hex) + 1);
    struct cbor deep = of(hex, room);
    assert_err(cbor_skip(&deep), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_texts_are_those_of_the_rfc),
        cmocka_unit_test(what_is_cut_off_indefinite_or_not_the_shortest_is_refused),
        cmocka_unit_test(nesting_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
