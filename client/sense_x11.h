/* sense_x11.h - how long nobody has typed or moved the mouse on the X display that DISPLAY names, by the
 * display itself (its screen saver extension): a desktop that tells nobody else still tells this. For the
 * per-user mode; a service has no display. */
#ifndef CLIENT_SENSE_X11_H
#define CLIENT_SENSE_X11_H

#include <stdint.h>

struct sense_x11;

struct sense_x11 *sense_x11_new(void); /* NULL: no display of this computer, and fine for the others */
void sense_x11_free(struct sense_x11 *x);
/* Milliseconds since the last input there; -1: not known. */
int64_t sense_x11_input_ms_ago(struct sense_x11 *x, int64_t now_ms);

#endif
