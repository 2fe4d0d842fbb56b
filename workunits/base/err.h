/* err.h - every way an operation can fail, and the sentence that says why.
 *
 * The code is for machines: it decides the word on the wire, the HTTP status, the exit status and
 * whether trying again can help. The sentence is for people: it names the thing, what is wrong with
 * it and what to do. The sentence is per thread and lives until the next err_set() on that thread. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* X(name, word on the wire, HTTP status, exit status, may a retry help?) */
#define ERR_LIST(X)                                                                                          \
    X(OK, "ok", 200, 0, false)                                                                               \
    X(INVALID, "invalid", 400, 2, false)          /* The request, file or flag is malformed. */              \
    X(AUTH, "auth", 401, 3, false)                /* No token, or one that is wrong, expired or revoked. */  \
    X(DENIED, "denied", 403, 3, false)            /* Known, but not allowed. */                              \
    X(REAUTH, "reauth", 403, 3, false)            /* Allowed, but only shortly after logging in. */          \
    X(MISSING, "missing", 404, 4, false)          /* No such thing. */                                       \
    X(STALE, "stale", 409, 5, false)              /* True once, too late now; nothing was changed. */        \
    X(CONFLICT, "conflict", 409, 5, true)         /* Somebody else moved first; read again, try again. */    \
    X(LIMIT, "limit", 413, 6, false)              /* Over a documented limit or quota. */                    \
    X(RATE, "rate", 429, 6, true)                 /* Too often; obey Retry-After. */                         \
    X(BUSY, "busy", 503, 7, true)                 /* Overloaded; obey Retry-After. */                        \
    X(FULL, "full", 507, 7, true)                 /* No room on the disk. */                                 \
    X(UNREACHABLE, "unreachable", 502, 8, true)   /* The network or the peer did not answer. */              \
    X(UNTRUSTED, "untrusted", 403, 9, false)      /* A signature, digest or key does not check. */           \
    X(UNSUPPORTED, "unsupported", 501, 10, false) /* Not possible on this machine or in this version. */     \
    X(TIMEOUT, "timeout", 504, 11, true)                                                                     \
    X(CORRUPT, "corrupt", 500, 12, false) /* Stored data contradicts itself. */                              \
    X(NOMEM, "nomem", 503, 12, true)                                                                         \
    X(IO, "io", 500, 12, true) /* The operating system refused a read, write or call. */

enum err {
#define X(name, word, http, exit, retry) ERR_##name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

#define NODISCARD         __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Sets this thread's sentence (cut at ERR_TEXT_BYTES_MAX) and returns e, so that a failing function
 * ends in `return err_set(ERR_INVALID, "...", ...)`. err_text() may be among the arguments. */
enum err err_set(enum err e, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same with ": <strerror(errno)>" appended; maps ENOSPC and EDQUOT to ERR_FULL, ENOMEM to ERR_NOMEM,
 * ENOENT to ERR_MISSING when e is ERR_IO. */
enum err err_set_errno(enum err e, const char *format, ...) PRINTF_LIKE(2, 3);
/* Puts "<prefix>: " in front of this thread's sentence, for context on the way up. Returns e. */
enum err err_prefix(enum err e, const char *format, ...) PRINTF_LIKE(2, 3);
/* This thread's sentence; never NULL, "" when nothing failed yet. Valid until the next err_* on this thread.
 */
const char *err_text(void);

const char *err_word(enum err e);
int err_http(enum err e);
int err_exit(enum err e);
bool err_retry(enum err e);
/* The code for a word from the wire; ERR_IO for a word this version does not know. */
enum err err_from_word(const char *word);

#endif
