/* What a scientist submits: a batch ('b'), or lines of its units. */
#include "fuzz/again.h"
#include "wire/batch_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    if (bytes[0] == 'b')
        AGAIN(struct batch_request, batch_request_parse, batch_request_write, bytes + 1, len - 1);
    else
        AGAIN(struct unit_line, unit_line_parse, unit_line_write, bytes, len);
    return 0;
}
