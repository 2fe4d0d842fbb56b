/* failure.c - see failure.h */
#include "wire/failure.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

void failure_pattern(const char *stderr_tail, const char *message, char *ret, size_t room)
{
    const char *text = *stderr_tail ? stderr_tail : message;
    size_t len = strlen(text), at = 0;
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    size_t from = len;
    while (from > 0 && text[from - 1] != '\n')
        from--;
    for (size_t i = from; i < len && at + 1 < room; i++) {
        bool digit = isxdigit((unsigned char)text[i]) && i > from && isdigit((unsigned char)text[i - 1]);
        if (isdigit((unsigned char)text[i]) || digit) {
            if (at == 0 || ret[at - 1] != '#')
                ret[at++] = '#';
        } else {
            ret[at++] = text[i];
        }
    }
    ret[at] = '\0';
}
