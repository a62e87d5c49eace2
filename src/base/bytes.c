/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_deinit(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

void bytes_clear(struct bytes *b)
{
	b->size = 0;
	b->failed = false;
}

uint8_t *bytes_extend(struct bytes *b, size_t size)
{
	if (b->failed)
		return NULL;
	if (size > b->capacity - b->size) {
		size_t want = b->size + size;
		size_t capacity = b->capacity * 2 > want ? b->capacity * 2 : want;
		if (capacity < 64)
			capacity = 64;
		uint8_t *data = want < size ? NULL : realloc(b->data, capacity);
		if (!data) {
			b->failed = true;
			return NULL;
		}
		b->data = data;
		b->capacity = capacity;
	}
	uint8_t *room = b->data + b->size;
	b->size += size;
	return room;
}

void bytes_append(struct bytes *b, const void *data, size_t size)
{
	if (size == 0)
		return;
	uint8_t *room = bytes_extend(b, size);
	if (room)
		memcpy(room, data, size);
}
