/* SPDX-License-Identifier: MIT */
/* Large memory, straight from the kernel and back to it: what is freed is gone from the process at once, and
 * where the kernel allows, pages are 2 MiB, so that a walk at random through hundreds of megabytes does not
 * wait for their addresses. */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

#define PAGES_UNIT ((size_t)2 << 20) /* less than this is not worth it */

/* Zeroed, whole units, aligned to one. NULL: no memory. */
void *pages_new(size_t size);
void pages_free(void *pages, size_t size); /* the same size; NULL is nothing */

#endif
