/* alert_book.h - what people were told and what is still to be sent, kept in DATA/alerts.json: a restart
 * neither tells twice nor forgets. */
#ifndef SERVER_ALERT_BOOK_H
#define SERVER_ALERT_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "rules/alert.h"

#define ALERT_NOTES_MAX  64
#define ALERT_TEXT_BYTES 400
#define ALERT_DAY_BYTES  16

struct alert_note { /* something to tell */
    enum alert_kind kind;
    enum alert_notice notice;
    int64_t at_ms;
    char what[ALERT_TEXT_BYTES], remedy[ALERT_TEXT_BYTES];
    bool mail, hook; /* where it has yet to go */
};

struct alert_book {
    struct alert_state states[ALERT_KINDS];
    char what[ALERT_KINDS][ALERT_TEXT_BYTES]; /* of those that are told */
    uint32_t count;                           /* notes */
    struct alert_note notes[ALERT_NOTES_MAX];
    char reported[ALERT_DAY_BYTES]; /* the last day of which a report was sent: "2026-11-23" */
};

/* A missing file is an empty book; ERR_CORRUPT names what cannot be read. */
enum err alert_book_load(const char *path, struct alert_book *ret) NODISCARD;
enum err alert_book_save(const char *path, const struct alert_book *b) NODISCARD; /* durable */
/* When it is full the oldest note goes: the newest says how it stands. */
void alert_book_add(struct alert_book *b, const struct alert_note *n);
/* Notes that are sent everywhere go. */
void alert_book_tidy(struct alert_book *b);
/* The fields of an open object. */
void alert_note_write(const struct alert_note *n, struct json_out *o);

#endif
