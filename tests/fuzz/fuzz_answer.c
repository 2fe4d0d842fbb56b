/* Manifests of answers, and the error messages of a server that may be anything (first byte 'e'). */
#include "fuzz/again.h"
#include "wire/answer.h"
#include "wire/error_msg.h"

static void read_answer(const char *text, size_t len)
{
    ARENA_AUTO struct arena a = {0};
    BUF_AUTO struct buf first = {0}, second = {0};
    struct file_ref *outputs;
    uint32_t count;
    if (answer_parse(text, len, &a, &outputs, &count) != ERR_OK)
        return;
    again_must(answer_print(outputs, count, &first), "answer_print");
    again_must(answer_parse(buf_text(&first), first.len, &a, &outputs, &count), "answer_parse");
    again_must(answer_print(outputs, count, &second), "answer_print");
    again_same(&first, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    if (bytes[0] == 'e') {
        enum err e = error_from_reply(400 + bytes[1] % 120, (const char *)bytes + 2, len - 2);
        assert(e != ERR_OK && *err_text());
    } else {
        read_answer((const char *)bytes, len);
    }
    return 0;
}
