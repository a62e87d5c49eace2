/* SPDX-License-Identifier: MIT */
/* What every array that grows, or is kept sorted, needs. The array, its count and its capacity are the
 * owner's. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Makes room for count elements of size bytes in all: the capacity doubles at least. array: the address of
 * the pointer to them, NULL at first. 0, or -ENOMEM and everything as it was. */
int array_reserve(void *array, size_t count, size_t *capacity, size_t size);

/* Where a number is, or would have to be inserted, among elements that are sorted by the uint64_t that each
 * begins with. */
static inline size_t array_place(const void *array, size_t count, size_t size, uint64_t number)
{
	size_t lo = 0, hi = count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint64_t at;
		memcpy(&at, (const char *)array + mid * size, sizeof at);
		if (at < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

#endif
