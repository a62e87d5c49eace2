/* SPDX-License-Identifier: MIT */
#include "core/actions.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"

void actions_deinit(struct actions *a)
{
	struct action action;
	while (actions_next(a, &action))
		record_unref(action.record);
	free(a->list);
	*a = (struct actions){0};
}

int actions_push(struct actions *a, struct action action)
{
	if (array_reserve(&a->list, a->count + 1, &a->capacity, sizeof action) < 0) {
		record_unref(action.record);
		return -ENOMEM;
	}
	a->list[a->count++] = action;
	return 0;
}

bool actions_next(struct actions *a, struct action *action)
{
	if (a->head == a->count) {
		a->head = a->count = 0;
		return false;
	}
	*action = a->list[a->head++];
	return true;
}
