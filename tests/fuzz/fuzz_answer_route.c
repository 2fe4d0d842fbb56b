/* What an app says of the streams of its answer: read again it is the same; and a cursor's stored flight
 * (first byte 'f'). */
#include "fuzz/again.h"
#include "server/flight.h"
#include "wire/answer_route.h"

static enum err print(void *ctx, const struct answer_route *r)
{
    struct buf *out = ctx;
    enum err e = buf_add_text(out, r->stream);
    if (e == ERR_OK && r->len > 0 && (e = buf_add_char(out, '\t')) == ERR_OK)
        e = buf_add(out, r->text, r->len);
    return e == ERR_OK ? buf_add_char(out, '\n') : e;
}

static void read_routes(const char *text, size_t len)
{
    BUF_AUTO struct buf first = {0}, second = {0};
    if (answer_routes_each(text, len, print, &first) != ERR_OK) {
        assert(*err_text());
        return;
    }
    again_must(answer_routes_each(buf_text(&first), first.len, print, &second), "answer_routes_each");
    again_same(&first, &second);
}

static void read_flight(const char *text, size_t len)
{
    static struct flight f;
    BUF_AUTO struct buf first = {0}, second = {0};
    uint64_t count;
    if (flight_read(text, len, &f) != ERR_OK)
        return;
    again_must(flight_write(&f, &first), "flight_write");
    again_must(flight_read(buf_text(&first), first.len, &f), "flight_read");
    again_must(flight_write(&f, &second), "flight_write");
    again_same(&first, &second);
    uint64_t all = flight_records(&f);
    again_must(flight_ack(&f, NULL, 0, UINT64_MAX, &count), "flight_ack");
    assert(count == all && f.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len > 0 && bytes[0] == 'f')
        read_flight((const char *)bytes + 1, len - 1);
    else
        read_routes((const char *)bytes, len);
    return 0;
}
