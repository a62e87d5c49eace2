/* SPDX-License-Identifier: MIT */
/* A growable byte buffer that remembers failure: after an allocation failed every further append does nothing
 * and bytes_failed() is true, so that a chain of appends needs one check at its end. And numbers as all
 * machines must agree on them: little-endian, wherever they lie. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	uint8_t *data; /* owned; NULL while empty */
	size_t size;
	size_t capacity;
	bool failed;
};

void bytes_deinit(struct bytes *b);
void bytes_clear(struct bytes *b); /* forgets the content and the failure, keeps the memory */
void bytes_append(struct bytes *b, const void *data, size_t size);
/* Room for size more bytes at the end, to be filled by the caller; NULL on failure. */
uint8_t *bytes_extend(struct bytes *b, size_t size);

static inline bool bytes_failed(const struct bytes *b)
{
	return b->failed;
}

static inline uint64_t bytes_get64(const uint8_t *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof value);
	return le64toh(value);
}

static inline void bytes_put64(uint8_t *to, uint64_t value)
{
	value = htole64(value);
	memcpy(to, &value, sizeof value);
}

#endif
