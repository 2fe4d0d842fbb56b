/* blob_many.c - several downloads at once, see blob.h. Every one that fails for whatever reason is simply
 * left: the caller's blob_get() tries it again with patience, and finds the part that is there. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/api.h"
#include "client/cli/blob.h"

enum { PARALLEL = 16, PATH_ROOM = 4096, POLL_MS = 1000 };

struct slot {
    bool busy;
    uint32_t id;
    int fd;
    const struct blob_want *want;
    char url[URL_BYTES_MAX + 96], part[PATH_ROOM];
};

/* The digest is checked here, so that path never holds anything else. */
static void keep(const struct slot *s)
{
    struct digest have;
    uint64_t bytes;
    if (hash_file(s->part, &have, &bytes) == ERR_OK && bytes == s->want->bytes &&
        digest_eq(&have, &s->want->digest))
        rename(s->part, s->want->path);
}

static void done(void *ctx, enum err err, struct net_reply *reply)
{
    struct slot *s = ctx;
    close(s->fd);
    if (err == ERR_OK)
        keep(s);
    net_reply_done(reply);
    s->busy = false;
}

static void begin(struct cli *c, struct slot *s, const struct blob_want *want)
{
    char hex[DIGEST_TEXT_BYTES];
    struct stat st;
    digest_text(&want->digest, hex);
    s->want = want;
    snprintf(s->url, sizeof s->url, "%s/v1/blobs/%s", c->api->profile.url, hex);
    if (access(want->path, F_OK) == 0 ||
        (size_t)snprintf(s->part, sizeof s->part, "%s.part", want->path) >= sizeof s->part)
        return;
    s->fd = open(s->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (s->fd < 0)
        return;
    uint64_t have = fstat(s->fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    struct net_request request = {.method = "GET",
                                  .url = s->url,
                                  .token = *c->api->profile.token ? c->api->profile.token : NULL,
                                  .reply_fd = s->fd,
                                  .has_reply_fd = true,
                                  .follow = true,
                                  .reply_bytes_max = want->bytes ? want->bytes : 1,
                                  .range_from = have < want->bytes ? have : 0};
    s->busy = net_start(c->api->net, &request, done, s, &s->id) == ERR_OK;
    if (!s->busy)
        close(s->fd);
}

enum err blob_get_many(struct cli *c, const struct blob_want *wants, size_t count)
{
    struct slot *slots = calloc(PARALLEL, sizeof *slots);
    size_t next = 0;
    enum err e = slots ? api_open(c) : err_set(ERR_NOMEM, "out of memory");
    while (e == ERR_OK && (next < count || net_active(c->api->net) > 0)) {
        for (size_t i = 0; i < PARALLEL && next < count; i++)
            if (!slots[i].busy)
                begin(c, &slots[i], &wants[next++]);
        if (net_active(c->api->net) > 0)
            e = net_poll(c->api->net, POLL_MS, NULL, 0);
    }
    if (e != ERR_OK && slots) /* what is still under way would write into slots */
        for (size_t i = 0; i < PARALLEL; i++)
            if (slots[i].busy) {
                net_cancel(c->api->net, slots[i].id);
                close(slots[i].fd);
            }
    free(slots);
    return e;
}
