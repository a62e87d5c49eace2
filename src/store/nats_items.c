/* SPDX-License-Identifier: MIT */
#include "store/nats_items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct item *item_new(const struct told_entry *told)
{
	struct item *item = malloc(sizeof *item + told->size);
	if (!item)
		return NULL;
	*item = (struct item){.told = *told};
	item->told.data = item->data;
	if (told->size > 0)
		memcpy(item->data, told->data, told->size);
	return item;
}

void items_add(struct items *items, struct item *item)
{
	if (items->last)
		items->last->next = item;
	else
		items->first = item;
	items->last = item;
}

void items_join(struct items *items, struct items *more)
{
	if (!more->first)
		return;
	if (items->last)
		items->last->next = more->first;
	else
		items->first = more->first;
	items->last = more->last;
	*more = (struct items){0};
}

void items_drop_first(struct items *items)
{
	struct item *first = items->first;
	items->first = first->next;
	if (!items->first)
		items->last = NULL;
	free(first);
}

void items_clear(struct items *items)
{
	while (items->first)
		items_drop_first(items);
}

void event_ring(int event)
{
	uint64_t one = 1;
	while (write(event, &one, sizeof one) < 0 && errno == EINTR)
		;
}
