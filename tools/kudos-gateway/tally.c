/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include "routes.h"

const double tally_bounds[TALLY_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
					    0.1,    0.25,  0.5,	   1,	  2.5,	5};

void tally_add(struct tally *t, const struct exchange *x)
{
	size_t at = x->route ? (size_t)(x->route - routes()) : TALLY_ROUTES - 1;
	struct tally_route *r = &t->routes[at < TALLY_ROUTES ? at : TALLY_ROUTES - 1];
	double seconds = (double)(x->answered - x->began) / 1e6;
	unsigned status = x->status - 100;
	if (status >= TALLY_STATUSES)
		return;
	r->statuses[status]++;
	for (size_t i = 0; i < TALLY_BUCKETS; i++) {
		if (seconds <= tally_bounds[i]) {
			r->buckets[i]++;
			break;
		}
	}
	r->count++;
	r->seconds += seconds;
}
