/* net_in.h - what net.c (who is connected, the loop) and net_transfer.c (one request) share. No others
 * include it. */
#ifndef CLIENT_NET_IN_H
#define CLIENT_NET_IN_H

#include <curl/curl.h>

#include "client/net.h"

enum {
    NET_PIN_TEXT_MAX = 64, /* "sha256//" and base64 of 32 bytes */
    NET_PROBLEM_BYTES = 512,
    NET_LINK_BYTES = 2048
};

/* Whom a request that may be sent elsewhere asks. */
enum net_way { NET_ASKED, NET_FOLLOWS, NET_FALLEN_BACK };

struct transfer {
    struct net *net;
    struct net_request request;
    struct net_reply reply;
    net_done *done;
    void *ctx;
    uint32_t id;
    int64_t begun_ms;
    CURL *curl;
    struct curl_slist *headers;
    char detail[CURL_ERROR_SIZE];
    enum net_way way;
    char link[NET_LINK_BYTES]; /* where the server sends us; "": nowhere */
    uint64_t sent;
    bool started_file; /* where the file's content goes is settled */
    uint64_t file_at;  /* next byte's place in it */
    enum err err;      /* of our own callbacks, with its sentence */
    char problem[NET_PROBLEM_BYTES];
};

struct net {
    CURLM *multi;  /* NULL while idle */
    CURLSH *share; /* TLS sessions, so that coming back costs a short handshake */
    char user_agent[64];
    char pins[NET_PINS_MAX * (NET_PIN_TEXT_MAX + 1)];
    char *authorities; /* NULL: the system's */
    char *proxy;       /* NULL: from the environment */
    bool unverified;
    uint64_t down_bytes_s, up_bytes_s;
    uint64_t moved_bytes;
    struct transfer *transfers[NET_REQUESTS_MAX];
    uint32_t active, last_id;
    int64_t quiet_since_ms;
};

/* Copies what request points to only as far as curl does. The transfer is not started. */
enum err transfer_new(struct net *n, const struct net_request *request, struct transfer **ret) NODISCARD;
/* The reply is not freed. */
void transfer_free(struct transfer *t);
/* Its reply sends it elsewhere, or from there back: it is set up for that. The caller starts it. */
bool transfer_again(struct transfer *t, CURLcode code);
/* What became of a transfer that curl has ended with code, as net_do() tells it. Sets the reply's status. */
enum err transfer_judge(struct transfer *t, CURLcode code) NODISCARD;

#endif
