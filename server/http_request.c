/* http_request.c - what a request carries. */
#include <strings.h>

#include "server/http_in.h"

const char *http_query(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(http_connection(r), MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(http_connection(r), MHD_HEADER_KIND, name);
}

const char *http_bearer(const struct http_request *r)
{
    const char *value = http_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
    return value && strncasecmp(value, "Bearer ", 7) == 0 ? value + 7 : NULL;
}

const char *http_cookie(struct http_request *r, const char *name)
{
    const char *value = MHD_lookup_connection_value(http_connection(r), MHD_COOKIE_KIND, name);
    return value ? arena_text(&r->arena, value) : NULL;
}
