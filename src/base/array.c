/* SPDX-License-Identifier: MIT */
#include "base/array.h"

#include <errno.h>
#include <stdlib.h>

int array_reserve(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count <= *capacity)
		return 0;
	size_t more = *capacity * 2 > count ? *capacity * 2 : count;
	void *held, *bigger = NULL;
	memcpy(&held, array, sizeof held); /* whatever it points to */
	if (more <= SIZE_MAX / size)
		bigger = realloc(held, more * size);
	if (!bigger)
		return -ENOMEM;
	memcpy(array, &bigger, sizeof bigger);
	*capacity = more;
	return 0;
}
