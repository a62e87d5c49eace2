/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "base/time.h"
#include "core/gather.h"

#define SYNC (200 * MS / 1000)

/* So many batches in the last 20 ms, then a commit that took as long as a sync. */
static struct gather after(int batches, int64_t *now)
{
	struct gather g;
	gather_init(&g);
	*now = SECOND;
	gather_synced(&g, *now, SYNC);
	for (int i = 0; i < batches; i++)
		gather_own(&g, *now);
	gather_taken(&g);
	*now += 20 * MS;
	gather_synced(&g, *now, SYNC);
	return g;
}

Test(gather, nothing_waits_for_nothing)
{
	struct gather g;
	gather_init(&g);
	cr_assert(gather_until(&g, MS) == NEVER);
	gather_own(&g, 7);
	gather_others(&g, 8);
	gather_taken(&g);
	cr_assert(gather_until(&g, MS) == NEVER);
}

Test(gather, a_batch_goes_at_once_where_few_come)
{
	int64_t now;
	struct gather g = after(100, &now); /* 5,000 a second: half of one in half a sync */
	gather_own(&g, now);
	cr_assert(gather_until(&g, MS) == now);
	gather_init(&g);
	gather_own(&g, now);
	cr_assert(gather_until(&g, MS) == now, "a driver that tells nothing");
}

Test(gather, batches_wait_for_half_a_sync_where_many_come)
{
	int64_t now;
	struct gather g = after(400, &now); /* 20,000 a second: two in half a sync */
	gather_own(&g, now);
	gather_own(&g, now + 50);
	cr_assert(gather_until(&g, MS) == now + SYNC / 2, "from the first on");
	gather_synced(&g, now + MS, 10 * SECOND);
	cr_assert(gather_until(&g, MS) == now + 500, "and never for long");
	gather_synced(&g, now + MS, 1200);
	cr_assert(gather_until(&g, MS) == now + 500);
	gather_synced(&g, now + MS, 800);
	cr_assert(gather_until(&g, MS) == now + 400);
	for (int i = 0; i < 3; i++) { /* the rate is that of late */
		gather_taken(&g);
		gather_synced(&g, now + (i + 1) * SECOND, SYNC);
	}
	gather_own(&g, now + 4 * SECOND);
	cr_assert(gather_until(&g, MS) == now + 4 * SECOND);
}

Test(gather, the_rate_is_counted_over_ten_milliseconds)
{
	struct gather g;
	gather_init(&g);
	gather_synced(&g, SECOND, SYNC);
	for (int i = 0; i < 400; i++)
		gather_own(&g, SECOND);
	gather_synced(&g, SECOND + 10 * MS - 1, SYNC);
	cr_assert(g.rate == 0 && g.counted == 400);
	gather_synced(&g, SECOND + 10 * MS, SYNC);
	cr_assert(g.rate == 40000 && g.counted == 0);
}

Test(gather, peers_records_wait_as_long_as_they_may)
{
	struct gather g;
	gather_init(&g);
	gather_others(&g, 100);
	gather_others(&g, 200);
	cr_assert(gather_until(&g, MS) == 100 + MS);
	cr_assert(gather_until(&g, 0) == 100, "not at all");
	gather_own(&g, 300);
	cr_assert(gather_until(&g, MS) == 300, "they go with a client's batch");
}
