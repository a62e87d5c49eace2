/* SPDX-License-Identifier: MIT */
/* What the process takes of the machine. */
#ifndef BASE_USAGE_H
#define BASE_USAGE_H

#include <stdint.h>

int64_t usage_memory(void);    /* resident bytes; 0: the system does not tell */
int64_t usage_processor(void); /* µs since the start, of all threads */

#endif
