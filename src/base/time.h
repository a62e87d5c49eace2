/* SPDX-License-Identifier: MIT */
/* Time is a number of microseconds, as an int64_t. What reads a clock is base/clock.h; the core, to which
 * time comes as an argument, needs no more than this. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#define MS INT64_C(1000)
#define SECOND (1000 * MS)
#define NEVER INT64_MAX

static inline int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

#endif
