/* What a host sends: untrusted by nature. */
#include "fuzz/again.h"
#include "wire/work_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    AGAIN(struct work_request, work_request_parse, work_request_write, bytes, len);
    return 0;
}
