/* SPDX-License-Identifier: MIT */
#include "store/hand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void hand_init(struct hand *h, uint64_t seed, size_t most)
{
	*h = (struct hand){.most = most};
	map_init(&h->by_position, seed);
}

static void drop_oldest(struct hand *h)
{
	struct held_record *r = h->oldest;
	/* One that was added twice is found in its newer place. */
	if (map_get(&h->by_position, r->at.origin.id, r->at.lsn) == r)
		map_remove(&h->by_position, r->at.origin.id, r->at.lsn);
	h->oldest = r->newer;
	if (!h->oldest)
		h->newest = NULL;
	h->bytes -= sizeof *r + r->size;
	free(r);
}

void hand_deinit(struct hand *h)
{
	while (h->oldest)
		drop_oldest(h);
	map_deinit(&h->by_position);
}

int hand_add(struct hand *h, struct position at, const void *data, size_t size)
{
	struct held_record *r = malloc(sizeof *r + size);
	if (!r)
		return -ENOMEM;
	*r = (struct held_record){.at = at, .size = size};
	memcpy(r->data, data, size);
	if (map_put(&h->by_position, at.origin.id, at.lsn, r) < 0) {
		free(r);
		return -ENOMEM;
	}
	if (h->newest)
		h->newest->newer = r;
	else
		h->oldest = r;
	h->newest = r;
	h->bytes += sizeof *r + size;
	while (h->bytes > h->most && h->oldest != r)
		drop_oldest(h);
	return 0;
}

const struct held_record *hand_get(const struct hand *h, struct position at)
{
	return map_get(&h->by_position, at.origin.id, at.lsn);
}

uint64_t hand_lowest(const struct hand *h, struct origin o)
{
	uint64_t highest = 0;
	for (const struct held_record *r = h->oldest; r; r = r->newer) {
		if (origin_equal(r->at.origin, o) && r->at.lsn > highest)
			highest = r->at.lsn;
	}
	uint64_t lowest = highest;
	while (lowest > 1 && map_get(&h->by_position, o.id, lowest - 1))
		lowest--;
	return lowest;
}
