/* SPDX-License-Identifier: MIT */
/* The newest records, in memory, to a number of bytes: the oldest go first. */
#ifndef STORE_HAND_H
#define STORE_HAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/map.h"

struct held_record {
	struct held_record *newer;
	struct position at;
	size_t size;
	uint8_t data[];
};

struct hand {
	struct map by_position;
	struct held_record *oldest, *newest; /* owned */
	size_t bytes, most;
};

void hand_init(struct hand *h, uint64_t seed, size_t most);
void hand_deinit(struct hand *h);
int hand_add(struct hand *h, struct position at, const void *data, size_t size); /* -ENOMEM */
const struct held_record *hand_get(const struct hand *h, struct position at);	 /* NULL: not (any more) */
/* The lowest lsn from which on o's records are held without gap up to its highest; 0: none. */
uint64_t hand_lowest(const struct hand *h, struct origin o);

#endif
