/* fuzz_client_control.c - a line of the control socket is one of five wishes or refused with a sentence. */
#include <assert.h>
#include <string.h>

#include "client/control_wish.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct control_wish w, untouched;
    memset(&w, 0x5A, sizeof w);
    memcpy(&untouched, &w, sizeof w);
    if (control_wish_parse((const char *)bytes, len, &w) != ERR_OK) {
        assert(*err_text() && memcmp(&w, &untouched, sizeof w) == 0);
        return 0;
    }
    assert(len <= CONTROL_LINE_BYTES && w.command < CONTROL_COMMANDS && w.for_ms >= 0);
    return 0;
}
