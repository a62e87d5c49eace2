/* SPDX-License-Identifier: MIT */
/* The changes of one checkpoint, collected cheaply in blocks: no growing array to copy, since the caller
 * serves likes meanwhile. */
#ifndef STORE_PUTS_H
#define STORE_PUTS_H

#include <stddef.h>
#include <stdint.h>

struct put {
	uint32_t key_size;
	uint32_t value_size; /* 0: the key is deleted */
	uint8_t bytes[];     /* key, then value */
};

struct puts {
	struct puts_block *oldest, *newest; /* owned, each leads to the next one */
	int failed; /* by an earlier put: then the rest must not be applied without it */
};

void puts_deinit(struct puts *p); /* leaves it empty and ready for use */
/* -ENOMEM; -E2BIG over 1 GiB in one put. */
int puts_add(struct puts *p, const void *key, size_t key_size, const void *value, size_t value_size);
/* Calls fn for each, in the order they came, until it answers other than 0, which is returned. */
int puts_each(const struct puts *p, int (*fn)(void *arg, const struct put *put), void *arg);

#endif
