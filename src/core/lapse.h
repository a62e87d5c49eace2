/* SPDX-License-Identifier: MIT */
/* Session numbers that were given and never used. They are never closed, and so would be holes in the closed
 * set for good. So after a while they lapse, all of an issuer's up to a number at once, by a record like a
 * session's close:
 *
 *   used ──a while──> proposed ──applied: unused ones take nothing──> every member agrees: one interval of
 * closed ones
 *
 * What of them was used has a seen entry, which goes before the closed set. */
#ifndef CORE_LAPSE_H
#define CORE_LAPSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/intervals.h"

struct lapse {		/* of one issuer */
	uint64_t used;	/* the highest number that something was heard of: it and those below were given */
	uint64_t mark;	/* what that was a while ago; 0: not noted */
	int64_t marked; /* when it was noted, µs */
	uint64_t to;	/* numbers up to here have lapsed, here; 0: none */
	struct position at; /* the record that said so; lsn 0: all have agreed, or there is none */
};

void lapse_note(struct lapse *l, uint64_t number);
/* Whether it was news: the record at `at` lets numbers up to `to` lapse. */
bool lapse_apply(struct lapse *l, uint64_t to, struct position at);
/* Called from time to time: the number up to which unused ones are to lapse now, since all up to it were
 * given `wait` ago or more and there are holes among the closed; 0: none. */
uint64_t lapse_due(struct lapse *l, const struct intervals *closed, int64_t now, int64_t wait);

#endif
