/* fuzz_client_page.c - a request of the local page is read whole, waited for, or refused; more bytes never
 * make a refused one right; what is admitted has our address. */
#include <assert.h>
#include <string.h>

#include "client/page_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char key[] = "0123456789abcdef0123456789abcdef";
    const char *text = (const char *)bytes;
    struct page_request r = {0}, part;
    int status = page_http_read(text, len, &r);
    assert(status == 0 || status == 200 || (status >= 400 && status < 500));
    if (status != 200)
        return 0;
    assert(r.head_len + r.body_len == len && r.body_len <= PAGE_BODY_BYTES_MAX && r.path[0] == '/');
    assert(page_http_read(text, len - 1, &part) == 0);
    if (page_http_admit(&r, 4711, key) == 200) {
        assert(strcmp(r.host, "127.0.0.1:4711") == 0 || strcmp(r.host, "localhost:4711") == 0);
        assert(strncmp(r.path, "/v1/", 4) != 0 || strcmp(r.key, key) == 0);
        assert(!r.post || r.has_origin);
    }
    return 0;
}
