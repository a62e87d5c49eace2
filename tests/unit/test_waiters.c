/* SPDX-License-Identifier: MIT */
#include "core/waiters.h"

#include <criterion/criterion.h>

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
