/* alert_text.h - what people read of an alert, and yesterday's report. No I/O. */
#ifndef SERVER_ALERT_TEXT_H
#define SERVER_ALERT_TEXT_H

#include "base/buf.h"
#include "rules/alert.h"
#include "server/alert_book.h"
#include "server/pulse.h"
#include "server/settings.h"

/* What comes of it when one of them has ended. PCs and the command line know the certificate by the project's
 * signature, whatever its dates. */
#define ALERT_CERTIFICATE_ENDED                                                                              \
    "browsers refuse this server; PCs and the command line go by the project's signature and work on"
#define ALERT_ROOT_ENDED "no PC works for this project"

/* What is wrong, in a sentence with its figures, and what to do. */
void alert_describe(enum alert_kind kind, const struct alert_sample *sample, const char *reason,
                    struct alert_note *ret);
/* One mail about all these notes: the subject names the worst. */
enum err alert_mail_text(const struct settings *s, const struct alert_note *notes, uint32_t count,
                         struct buf *subject, struct buf *text) NODISCARD;
/* The web hook's body: {"project","url","notices":[..]}. */
enum err alert_hook_text(const struct settings *s, const struct alert_note *notes, uint32_t count,
                         struct buf *out) NODISCARD;

/* Yesterday in numbers and one plot, as text and as SVG. day: "2026-11-23". */
enum err report_text(const struct settings *s, const char *day, const struct pulse_day *d,
                     const struct alert_book *alerts, struct buf *subject, struct buf *text) NODISCARD;
enum err report_plot(const char *day, const struct pulse_day *d, struct buf *out) NODISCARD;

#endif
