/* SPDX-License-Identifier: MIT */
/* A key and its count as they lie in a block of the arena: [ count 8, little-endian | key size 1 | key ]. */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

#define ENTRY_HEADER 9 /* count, key size */

struct counted {
	const char *key; /* within the arena, not NUL-terminated */
	size_t size;
	int64_t count;
};

static inline int64_t entry_count(const uint8_t *entry)
{
	return (int64_t)bytes_get64(entry);
}

static inline void entry_set_count(uint8_t *entry, int64_t count)
{
	bytes_put64(entry, (uint64_t)count);
}

static inline bool entry_is(const uint8_t *entry, const char *key, size_t size)
{
	return entry[8] == size && memcmp(entry + ENTRY_HEADER, key, size) == 0;
}

static inline struct counted entry_counted(const uint8_t *entry)
{
	return (struct counted){(const char *)entry + ENTRY_HEADER, entry[8], entry_count(entry)};
}

/* Walks the entries of a block (of at most ARENA_BLOCK): start with *at = 0. False at its end, or at what is
 * no entry: entry_is_end() tells which. */
static inline bool entry_next(const uint8_t *bytes, size_t size, size_t *at, struct counted *out)
{
	if (size - *at < ENTRY_HEADER)
		return false;
	const uint8_t *entry = bytes + *at;
	if (entry[8] == 0 || entry[8] > size - *at - ENTRY_HEADER)
		return false;
	*out = entry_counted(entry);
	*at += ENTRY_HEADER + out->size;
	return true;
}

/* Whether there is nothing but zeros from at on. */
static inline bool entry_is_end(const uint8_t *bytes, size_t size, size_t at)
{
	while (at < size && bytes[at] == 0)
		at++;
	return at == size;
}

#endif
