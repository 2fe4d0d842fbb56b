/* try.h - passes an error on: for functions that are a row of steps, each of which may fail. */
#ifndef SERVER_TRY_H
#define SERVER_TRY_H

#include "base/err.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        enum err try_err = (call);                                                                           \
        if (try_err != ERR_OK)                                                                               \
            return try_err;                                                                                  \
    } while (0)

#endif
