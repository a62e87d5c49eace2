/* SPDX-License-Identifier: MIT */
#include "core/waiters.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "unit/leak.h"

Test(waiters, are_told_apart_by_client_session_and_number)
{
	struct waiters w = {0};
	const struct session session = {7, 1};
	cr_assert(!waiters_have(&w, 1, session, 5));
	cr_assert(waiters_add(&w, (struct waiter){.client = 1, .session = session, .seq = 5}) == 0);
	cr_assert(waiters_add(&w, (struct waiter){.client = 2, .session = session, .seq = 6}) == 0);
	cr_assert(w.count == 2 && w.list[1].client == 2, "in the order in which they came");
	cr_assert(waiters_have(&w, 1, session, 5) && waiters_have(&w, 2, session, 6));
	cr_assert(!waiters_have(&w, 2, session, 5) && !waiters_have(&w, 1, session, 6));
	cr_assert(!waiters_have(&w, 1, (struct session){7, 2}, 5));
	struct vector reached = {0};
	cr_assert(vector_set(&reached, (struct origin){1}, 9) == 0);
	cr_assert(waiters_add(&w, (struct waiter){.lsn = LSN_MIXED, .needs = reached}) == 0);
	waiters_deinit(&w); /* and what it needs with it */
	cr_assert(w.count == 0);
}

/* Odd ones wait on, number 6 is out of memory when asked about. */
static int odd(void *arg, struct waiter *waiter)
{
	*(uint64_t *)arg = *(uint64_t *)arg * 10 + waiter->seq;
	waiter->lsn = waiter->seq;
	return waiter->seq == 6 ? -ENOMEM : (int)(waiter->seq % 2);
}

Test(waiters, each_is_asked_in_turn_whether_it_waits_on)
{
	struct waiters w = {0};
	uint64_t asked = 0;
	for (uint64_t seq = 1; seq <= 5; seq++) {
		struct vector needs = {0};
		cr_assert(vector_set(&needs, (struct origin){1}, seq) == 0);
		cr_assert(waiters_add(&w, (struct waiter){.seq = seq, .needs = needs}) == 0);
	}
	cr_assert(waiters_sift(&w, odd, &asked) == 0 && asked == 12345 && w.count == 3);
	for (size_t i = 0; i < w.count; i++)
		cr_assert(w.list[i].seq == 2 * i + 1 && w.list[i].lsn == w.list[i].seq, "in their order");
	w.list[1].seq = 6;
	cr_assert(waiters_sift(&w, odd, &asked) == -ENOMEM);
	waiters_deinit(&w);
	assert_no_leak();
}
