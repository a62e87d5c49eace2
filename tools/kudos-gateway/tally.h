/* SPDX-License-Identifier: MIT */
/* What has been asked for so far, and how long it took: for each route, requests by status, and a histogram
 * of the time from a request's head to its answer's. */
#ifndef GATEWAY_TALLY_H
#define GATEWAY_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

#define TALLY_ROUTES 64 /* with one for what has none, the last */
#define TALLY_BUCKETS 13
#define TALLY_STATUSES 500 /* 100 to 599 */

struct tally_route {
	uint64_t statuses[TALLY_STATUSES]; /* by status, less 100 */
	uint64_t buckets[TALLY_BUCKETS];   /* up to tally_bounds[i], and over those before */
	uint64_t count;
	double seconds;
};

struct tally {
	struct tally_route routes[TALLY_ROUTES];
};

extern const double tally_bounds[TALLY_BUCKETS]; /* seconds */

/* x was answered. */
void tally_add(struct tally *t, const struct exchange *x);

#endif
