/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "routes.h"
#include "tally.h"

static void add(struct tally *t, const struct route *route, unsigned status, int64_t us)
{
	const struct exchange x = {.route = route, .status = status, .began = 1000, .answered = 1000 + us};
	tally_add(t, &x);
}

Test(tally, has_a_place_for_each_route_and_one_for_none)
{
	size_t count = 0;
	for (const struct route *r = routes(); r->method; r++)
		count++;
	cr_assert(count < TALLY_ROUTES - 1);
}

Test(tally, counts_by_route_status_and_time)
{
	static struct tally t;
	const struct route *second = routes() + 1;
	add(&t, second, 200, 500); /* a bound belongs to what is below it */
	add(&t, second, 200, 501);
	add(&t, second, 504, 5000000);
	add(&t, second, 504, 5000001);
	add(&t, NULL, 404, 0);
	add(&t, second, 99, 1); /* none: it was not answered */
	add(&t, second, 600, 1);
	const struct tally_route *r = &t.routes[1], *none = &t.routes[TALLY_ROUTES - 1];
	cr_assert(r->statuses[100] == 2 && r->statuses[404] == 2 && r->count == 4);
	cr_assert(r->buckets[0] == 1 && r->buckets[1] == 1 && r->buckets[TALLY_BUCKETS - 1] == 1);
	cr_assert(r->seconds > 10.001 && r->seconds < 10.002);
	cr_assert(none->count == 1 && none->statuses[304] == 1 && none->buckets[0] == 1);
	cr_assert(t.routes[0].count == 0);
}

Test(tally, bounds_rise)
{
	for (size_t i = 1; i < TALLY_BUCKETS; i++)
		cr_assert(tally_bounds[i] > tally_bounds[i - 1]);
}
