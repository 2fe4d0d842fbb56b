/* json_in.h - what json_parse.c and json.c share: how a document lies in memory.
 *
 * A document is one block: its values, then the bytes of its strings. The members of a list or an object lie
 * next to each other, in the order they were written. */
#ifndef BASE_JSON_IN_H
#define BASE_JSON_IN_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

enum { JSON_FEW = 12 }; /* an object of so many members is searched from the start; a larger one has ranks */

struct json {
    const char *key; /* NULL in a list and at the top */
    union {
        const char *text;
        const struct json *members;
        int64_t i;
        double r;
    } as;
    uint32_t key_len;
    uint32_t count; /* members; bytes of a text; of a bool: is it true? */
    uint32_t rank;  /* in an object of many: which member is the n-th by its key, kept at the n-th */
    enum json_kind kind;
};

struct json_doc {
    struct json root;
};

/* Less than, equal to or more than 0; bytes decide, then length. */
int json_key_compare(const struct json *member, const char *key, size_t len);
/* How many characters from the start are ASCII and neither quote, backslash nor control. */
size_t json_plain_run(const char *text, size_t len);

#endif
