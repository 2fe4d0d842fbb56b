/* Orders, specs of units, statements of chunks, and the words of a command with their variables. The first
 * byte says which. */
#include "fuzz/again.h"
#include "wire/order.h"

static enum err units_parse(const char *text, size_t len, struct arena *a, struct units_statement *ret)
{
    (void)a;
    return units_statement_parse(text, len, ret);
}

/* What the check lets through is filled in, and nothing else is. */
static void fill(const uint8_t *bytes, size_t len)
{
    static const struct variable vars[] = {{"", "7"}, {"a", "{b}"}, {"long-name_1", ""}};
    char word[256] = "";
    BUF_AUTO struct buf out = {0};
    const char *const words[] = {word};
    memcpy(word, bytes, len < sizeof word ? len : sizeof word - 1);
    enum err checked = template_check(words, 1, vars, 3), filled = template_fill(word, vars, 3, &out);
    assert((checked == ERR_OK) == (filled == ERR_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    switch (bytes[0]) {
    case 'o':
        AGAIN(struct order, order_parse, order_print, bytes + 1, len - 1);
        break;
    case 's':
        AGAIN(struct spec, spec_parse, spec_print, bytes + 1, len - 1);
        break;
    case 'u':
        AGAIN(struct units_statement, units_parse, units_statement_print, bytes + 1, len - 1);
        break;
    default:
        fill(bytes, len);
    }
    return 0;
}
