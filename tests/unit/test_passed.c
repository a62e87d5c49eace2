/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "base/time.h"
#include "core/passed.h"
#include "kudos.h"

static const struct node s2 = {2}, s3 = {3};
static const struct origin run = {20};

Test(passed, is_sent_until_it_is_confirmed)
{
	struct passed p;
	struct passed_one one;
	passed_init(&p, UINT64_MAX);
	cr_assert(passed_deadline(&p) == NEVER && passed_next(&p, 0, &one) == PASSED_NONE);
	cr_assert(passed_add(&p, 0, s2, run, 7, 70) == 0);
	cr_assert(passed_deadline(&p) == 0 && passed_next(&p, 0, &one) == PASSED_SEND && one.id != 0 &&
		  one.run.id == 20);
	cr_assert(passed_next(&p, 0, &one) == PASSED_NONE && passed_deadline(&p) > 0);
	cr_assert(passed_add(&p, 0, s2, run, 7, 70) == 0, "asked again by the same");
	cr_assert(passed_next(&p, 0, &one) == PASSED_NONE);
	int64_t then = passed_deadline(&p);
	cr_assert(passed_next(&p, then - 1, &one) == PASSED_NONE &&
		  passed_next(&p, then, &one) == PASSED_SEND);
	uint64_t id = one.id;
	cr_assert(!passed_take(&p, s3, id, &one) && !passed_take(&p, s2, id + 1, &one));
	cr_assert(!passed_take(&p, s2, 0, &one), "what is in no place is not taken");
	cr_assert(passed_take(&p, s2, id, &one) && one.client == 7 && one.client_id == 70);
	cr_assert(!passed_take(&p, s2, id, &one) && !passed_take(&p, s2, 0, &one), "once");
	cr_assert(passed_deadline(&p) == NEVER);
}

Test(passed, ends_when_nobody_confirms)
{
	struct passed p;
	struct passed_one one;
	unsigned sent = 0;
	enum passed_due due = PASSED_NONE;
	passed_init(&p, 1);
	cr_assert(passed_add(&p, 0, s2, run, 7, 70) == 0);
	while (passed_deadline(&p) != NEVER) {
		due = passed_next(&p, passed_deadline(&p), &one);
		sent += due == PASSED_SEND;
	}
	cr_assert(due == PASSED_OVER && one.client == 7 && sent > 2);
	cr_assert(!passed_take(&p, s2, one.id, &one));
}

/* The end does not wait for the next time that it would be sent. */
Test(passed, ends_in_time)
{
	struct passed p;
	struct passed_one one;
	passed_init(&p, 1);
	cr_assert(passed_add(&p, 0, s2, run, 7, 70) == 0);
	cr_assert(passed_next(&p, 2900 * MS, &one) == PASSED_SEND);
	cr_assert(passed_add(&p, 2900 * MS, s2, run, 8, 70) == 0, "another asks under the same number");
	cr_assert(passed_next(&p, 2900 * MS, &one) == PASSED_SEND && one.client == 8);
	cr_assert(passed_deadline(&p) == 3 * SECOND && passed_next(&p, 3 * SECOND - 1, &one) == PASSED_NONE);
	cr_assert(passed_next(&p, 3 * SECOND, &one) == PASSED_OVER && one.client == 7);
	cr_assert(passed_deadline(&p) == 3400 * MS);
}

Test(passed, has_room_for_so_many)
{
	struct passed p;
	struct passed_one one;
	passed_init(&p, 1);
	for (uint64_t i = 0; i < LIMIT_PASSED; i++)
		cr_assert(passed_add(&p, 0, i % 2 ? s2 : s3, run, 7, i) == 0);
	cr_assert(passed_add(&p, 0, s2, run, 7, LIMIT_PASSED) == KUDOS_BUSY);
	for (unsigned i = 0; i < LIMIT_PASSED; i++)
		cr_assert(passed_next(&p, 0, &one) == PASSED_SEND);
	cr_assert(passed_take(&p, one.to, one.id, &one));
	cr_assert(passed_add(&p, 0, s2, run, 8, 1) == 0);
}
