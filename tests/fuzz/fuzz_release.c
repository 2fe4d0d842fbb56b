/* Release statements, and manifests as an author writes them. */
#include "fuzz/again.h"
#include "wire/release.h"

static enum err manifest_print(const struct manifest *m, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    manifest_write(&o, NULL, m);
    return json_out_end(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    if (bytes[0] == 'm')
        AGAIN(struct manifest, manifest_parse, manifest_print, bytes + 1, len - 1);
    else
        AGAIN(struct release, release_parse, release_print, bytes, len);
    return 0;
}
