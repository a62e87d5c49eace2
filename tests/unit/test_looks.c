/* SPDX-License-Identifier: MIT */
#include "core/looks.h"

#include <criterion/criterion.h>

static const struct node LOST = {7};

Test(looks, nothing_of_who_leaves_is_taken_after_two_more_that_told_all)
{
	struct looks l = {0};
	looks_end(&l, 1);
	cr_assert(l.count == 1 && !looks_left(&l, LOST), "it does not leave");
	cr_assert(looks_leave(&l, LOST) == 0 && looks_leaving(&l, LOST) && !looks_left(&l, LOST));
	cr_assert(!looks_leaving(&l, (struct node){8}) && !looks_left(&l, (struct node){8}));
	looks_end(&l, 2);
	cr_assert(!looks_left(&l, LOST), "that one may have begun before");
	l.cut = true;
	looks_end(&l, 3);
	cr_assert(l.count == 2 && !l.cut && !looks_left(&l, LOST), "that one did not take all in");
	looks_end(&l, 4);
	cr_assert(looks_left(&l, LOST));
	looks_deinit(&l);
}

Test(looks, one_that_did_not_take_all_in_is_none)
{
	struct looks l = {.cut = true};
	looks_end(&l, 5);
	cr_assert(!l.done && l.count == 0 && l.history.number == 0);
	looks_end(&l, 6);
	cr_assert(l.done && l.history.number == 6);
	l.cut = true;
	looks_end(&l, 7);
	cr_assert(l.done, "there was one");
	looks_deinit(&l);
}

Test(looks, begin_again_with_a_checkpoint)
{
	struct looks l = {0};
	cr_assert(looks_leave(&l, LOST) == 0);
	looks_end(&l, 5);
	l.cut = true;
	looks_begin(&l);
	cr_assert(!l.done && !l.cut && l.history.number == 0);
	cr_assert(l.count == 1 && looks_leaving(&l, LOST), "who leaves does so still");
	looks_deinit(&l);
}
