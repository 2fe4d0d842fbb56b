/* What a server sends: the client must survive a hostile one. */
#include "fuzz/again.h"
#include "wire/work_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    AGAIN(struct work_reply, work_reply_parse, work_reply_write, bytes, len);
    return 0;
}
