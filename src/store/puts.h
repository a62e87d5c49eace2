/* SPDX-License-Identifier: MIT */
/* The changes of one checkpoint, collected cheaply in blocks (no growing array to copy: the caller serves
 * likes meanwhile) and sorted by key once, where they are applied. */
#ifndef STORE_PUTS_H
#define STORE_PUTS_H

#include <stddef.h>
#include <stdint.h>

struct put {
	uint32_t order; /* among puts of the same key the last one counts */
	uint32_t key_size;
	uint32_t value_size; /* 0: the key is deleted */
	uint8_t bytes[];     /* key, then value */
};

struct puts {
	struct puts_block *newest; /* owned, each leads to the one before it */
	size_t count;
	int failed; /* by an earlier put: then the rest must not be applied without it */
};

void puts_deinit(struct puts *p); /* leaves it empty and ready for use */
/* -ENOMEM; -E2BIG over 4 GiB in one put or 2^32 puts. */
int puts_add(struct puts *p, const void *key, size_t key_size, const void *value, size_t value_size);
/* The last put of each key, in key order, as an array that the caller frees. -ENOMEM, or what a put failed
 * by. */
int puts_sorted(const struct puts *p, const struct put ***list, size_t *count);

/* Byte order, the shorter key first when one is the other's beginning (as LMDB orders keys). */
int puts_compare_keys(const void *a, size_t a_size, const void *b, size_t b_size);

#endif
