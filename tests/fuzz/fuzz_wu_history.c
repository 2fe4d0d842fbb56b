/* What reads as a line of history writes as the same bytes; all else is refused. */
#include <assert.h>
#include <string.h>

#include "rules/wu_history.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct wu_event ev;
    char line[WU_HISTORY_BYTES_MAX];
    if (wu_history_read((const char *)bytes, len, 1000, &ev) != ERR_OK)
        return 0;
    if (ev.now_ms < INT64_MIN + 1000)
        return 0; /* no difference to the base can be written; no clock shows such a time */
    assert(wu_history_write(&ev, 1000, line) == len && memcmp(line, bytes, len) == 0);
    return 0;
}
