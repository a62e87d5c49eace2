/* SPDX-License-Identifier: MIT */
#include "core/history.h"

#include <criterion/criterion.h>

Test(history, is_covered_by_a_checkpoint_that_began_when_all_was_applied)
{
	struct history h = {0};
	history_checkpointed(&h, 100);
	history_looked(&h, 7, true);
	history_checkpointed(&h, 100);
	cr_assert(h.covered == 0, "it is not applied");
	history_applied(&h, 20);
	history_applied(&h, 30); /* that it is was known before */
	history_checkpointed(&h, 19);
	cr_assert(h.covered == 0, "that one began before");
	history_checkpointed(&h, 20);
	cr_assert(h.covered == 7);
	history_checkpointed(&h, 30);
	cr_assert(h.covered == 7, "no other look is followed");
	history_looked(&h, 9, true);
	history_checkpointed(&h, 40);
	cr_assert(h.covered == 7);
	history_applied(&h, 40);
	history_checkpointed(&h, 40);
	cr_assert(h.covered == 9, "nothing came since");
	history_looked(&h, 1, true); /* the first record that there can be */
	history_applied(&h, 50);
	history_checkpointed(&h, 50);
	cr_assert(h.covered == 1);
}

Test(history, one_look_at_a_time_is_followed)
{
	struct history h = {0};
	history_looked(&h, 7, true);
	history_looked(&h, 8, true);
	history_applied(&h, 1);
	history_looked(&h, 9, true);
	history_checkpointed(&h, 1);
	cr_assert(h.covered == 7 && h.number == 0);
}

Test(history, a_look_that_does_not_tell_all_or_tells_of_strangers_is_not)
{
	struct history h = {0};
	history_looked(&h, 7, false);
	cr_assert(h.number == 0);
	h.strange = true;
	history_looked(&h, 7, true);
	cr_assert(h.number == 0 && !h.strange);
	history_looked(&h, 8, true);
	cr_assert(h.number == 8);
	h.strange = true; /* they came later */
	history_looked(&h, 9, true);
	history_applied(&h, 0);
	history_checkpointed(&h, 0);
	cr_assert(h.covered == 8);
}
