/* outcome.h - how an attempt ended on this host, as it is kept in the journal until the server has
 * acknowledged it. The bytes of its outputs are files, kept apart. */
#ifndef CLIENT_OUTCOME_H
#define CLIENT_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "wire/parts.h"
#include "wire/work_msg.h"

struct outcome {
    const char *word; /* "ok" or a word of ATTEMPT_ERROR_LIST */
    struct file_ref *outputs;
    uint32_t output_count;
    bool has_exit_code, has_signal;
    int64_t exit_code, signal;
    const char *message, *stderr_tail, *stdout_tail; /* may be NULL; valid UTF-8 within the wire's limits */
    int64_t cpu_ms, wall_ms;
    uint64_t memory_bytes;
    bool has_release;
    struct digest release;
};

/* Copies text as valid UTF-8 of at most bytes_max bytes: its end, or its beginning, is cut off. NULL when
 * there is none or no memory. */
const char *outcome_text(struct arena *a, const char *text, size_t bytes_max, bool keep_end);
void outcome_write(struct json_out *o, const char *key, const struct outcome *outcome);
enum err outcome_read(const struct json *obj, struct arena *a, struct outcome *ret) NODISCARD;
/* An output too large for a report must be uploaded first. */
bool outcome_uploads(const struct outcome *outcome);

#endif
