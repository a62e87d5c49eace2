/* SPDX-License-Identifier: MIT */
/* What one thread hands to another: records to be written, what the stream told. Not guarded by itself. */
#ifndef STORE_NATS_ITEMS_H
#define STORE_NATS_ITEMS_H

#include "store/stream.h"

struct item {
	struct item *next;
	struct told_entry told; /* its data are the item's */
	uint8_t data[];
};

struct items {
	struct item *first, *last;
};

struct item *item_new(const struct told_entry *told); /* copies; NULL: no memory */
void items_add(struct items *items, struct item *item);
void items_join(struct items *items, struct items *more); /* more is empty afterwards */
void items_drop_first(struct items *items);
void items_clear(struct items *items);

void event_ring(int event); /* an eventfd: wakes who waits for it */

#endif
