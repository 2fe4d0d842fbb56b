/* error_msg.h - {"error":{"code":WORD,"message":SENTENCE}} */
#ifndef WIRE_ERROR_MSG_H
#define WIRE_ERROR_MSG_H

#include "base/buf.h"
#include "base/err.h"

enum err error_write(enum err e, const char *message, struct buf *out) NODISCARD;
/* Sets this thread's sentence to the message in the body and returns its code; where the body is no error
 * message, a sentence of our own and the code that belongs to the HTTP status. Never ERR_OK. */
enum err error_from_reply(int status, const char *body, size_t len);

#endif
