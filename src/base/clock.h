/* Time in microseconds. The only place that reads a clock besides net and tools. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define MS INT64_C(1000)
#define SECOND (1000 * MS)
#define NEVER INT64_MAX

int64_t clock_now(void);     /* monotonic */
int64_t clock_wall_ms(void); /* since 1970, in milliseconds: for progress and logs, never for safety (I11) */

#endif
