/* clock.h - the two clocks. Only shells call these; pure code gets now_ms as an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* Unix time, milliseconds; may jump */
int64_t clock_mono_ms(void); /* never goes back; counts suspend too (CLOCK_BOOTTIME) */
int64_t clock_mono_us(void);
void clock_sleep_ms(int64_t ms); /* returns early only for a signal */

#endif
