/* stream.h - what the commands of streams share. */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include "base/buf.h"
#include "base/err.h"

/* "/v1/streams/STREAM" and what comes after. ERR_INVALID for what cannot be a stream's name. */
enum err stream_path(struct buf *out, const char *stream, const char *after) NODISCARD;

#endif
