/* findings.h - what somebody found out about the server: how bad it is, what it is, and what to do. */
#ifndef SERVER_FINDINGS_H
#define SERVER_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

#define FINDINGS_MAX 64

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_ERROR };

struct finding {
    enum finding_level level;
    char name[24]; /* of what was looked at: "disk" */
    char what[400], remedy[400];
};

struct findings { /* zeroed is valid and empty */
    uint32_t count;
    struct finding list[FINDINGS_MAX];
};

const char *finding_level_name(enum finding_level level); /* "ok", "warn", "error" */
/* remedy: "" when there is nothing to do. The text of `what` is a format. Beyond FINDINGS_MAX the least bad
 * ones go. */
void findings_add(struct findings *f, enum finding_level level, const char *name, const char *remedy,
                  const char *what, ...) PRINTF_LIKE(5, 6);
enum finding_level findings_worst(const struct findings *f);
void findings_sort(struct findings *f); /* the worst first, else as they came */
/* One or two lines each, for a terminal. */
enum err findings_print(const struct findings *f, struct buf *out) NODISCARD;
/* The items of a list that is open in o; well: those that are well too. */
void findings_write(const struct findings *f, bool well, struct json_out *o);

#endif
