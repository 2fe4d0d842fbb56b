/* sense_bus.h - what the services of a desktop know of its use: logind's seat, the desktop's own idle time,
 * whether the network costs by the byte. Where there are none nothing is known. */
#ifndef CLIENT_SENSE_BUS_H
#define CLIENT_SENSE_BUS_H

#include <stdbool.h>
#include <stdint.h>

struct sense_bus;

struct sense_bus *sense_bus_new(void); /* NULL: out of memory, and fine for the others */
void sense_bus_free(struct sense_bus *s);
/* Milliseconds since somebody used a screen of this computer; -1: not known. */
int64_t sense_bus_input_ms_ago(struct sense_bus *s, int64_t now_ms);
/* NetworkManager says that the network is metered, or guesses so. */
bool sense_bus_metered(struct sense_bus *s, int64_t now_ms);

#endif
