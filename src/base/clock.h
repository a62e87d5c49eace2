/* SPDX-License-Identifier: MIT */
/* The only place that reads a clock besides net and tools. Time is in microseconds (base/time.h). */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/time.h"

int64_t clock_now(void);     /* monotonic */
int64_t clock_wall_ms(void); /* since 1970, in milliseconds: for progress and logs, never for safety (I11) */

#endif
