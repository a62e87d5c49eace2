/* SPDX-License-Identifier: MIT */
#include "core/gather.h"

#include "base/time.h"

#define OWN_MOST (500 * MS / 1000)
#define WORTH 2		  /* batches that are likely to come: one more is not worth the others' waiting */
#define COUNTED (10 * MS) /* the rate is that of the last time as long as this, or between two groups */

void gather_init(struct gather *g)
{
	*g = (struct gather){.own = NEVER, .others = NEVER};
}

void gather_own(struct gather *g, int64_t now)
{
	if (g->own == NEVER)
		g->own = now;
	g->counted++;
}

void gather_others(struct gather *g, int64_t now)
{
	if (g->others == NEVER)
		g->others = now;
}

void gather_taken(struct gather *g)
{
	g->own = g->others = NEVER;
}

void gather_synced(struct gather *g, int64_t now, int64_t took)
{
	const int64_t elapsed = now - g->counted_at;
	g->sync = took;
	if (elapsed < COUNTED)
		return;
	g->rate = g->counted * (uint64_t)SECOND / (uint64_t)elapsed;
	g->counted = 0;
	g->counted_at = now;
}

static int64_t own_wait(const struct gather *g)
{
	const int64_t wait = g->sync / 2 < OWN_MOST ? g->sync / 2 : OWN_MOST;
	return g->rate * (uint64_t)wait >= WORTH * (uint64_t)SECOND ? wait : 0;
}

int64_t gather_until(const struct gather *g, int64_t lazy)
{
	const int64_t own = g->own == NEVER ? NEVER : g->own + own_wait(g);
	const int64_t others = g->others == NEVER ? NEVER : g->others + lazy;
	return earlier(own, others);
}
