/* SPDX-License-Identifier: MIT */
/* Random numbers, from the kernel. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* From getrandom(2), never 0. Aborts only if the kernel has no random numbers at all. */
uint64_t random_id(void);
void random_bytes(void *out, size_t size); /* likewise, at most 256 */

#endif
