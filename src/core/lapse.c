/* SPDX-License-Identifier: MIT */
#include "core/lapse.h"

void lapse_note(struct lapse *l, uint64_t number)
{
	if (l->used < number)
		l->used = number;
}

bool lapse_apply(struct lapse *l, uint64_t to, struct position at)
{
	if (to <= l->to)
		return false; /* the first record that reaches as far is enough, on every member its own first
			       */
	l->to = to;
	l->at = at;
	return true;
}

static bool whole(const struct intervals *closed, uint64_t to)
{
	return closed->count > 0 && closed->at[0].lo == 1 && closed->at[0].hi >= to;
}

uint64_t lapse_due(struct lapse *l, const struct intervals *closed, int64_t now, int64_t wait)
{
	uint64_t due = 0;
	if (l->mark && now - l->marked >= wait) {
		due = l->mark > l->to && !whole(closed, l->mark) ? l->mark : 0;
		l->mark = 0;
	}
	if (!l->mark && l->used > l->to) {
		l->mark = l->used;
		l->marked = now;
	}
	return due;
}
