/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "store/hand.h"

static struct position at(uint64_t origin, uint64_t lsn)
{
	return (struct position){{origin}, lsn};
}

Test(hand, the_newest_are_there)
{
	struct hand h;
	const size_t one = sizeof(struct held_record) + 10;
	hand_init(&h, 7, 3 * one);
	for (uint64_t lsn = 1; lsn <= 5; lsn++)
		cr_assert(hand_add(&h, at(1, lsn), "0123456789", 10) == 0);
	cr_assert(h.bytes == 3 * one);
	cr_assert(!hand_get(&h, at(1, 2)) && hand_get(&h, at(1, 3)) && hand_get(&h, at(1, 5)));
	cr_assert(memcmp(hand_get(&h, at(1, 4))->data, "0123456789", 10) == 0);
	cr_assert(hand_lowest(&h, (struct origin){1}) == 3 && hand_lowest(&h, (struct origin){2}) == 0);
	hand_deinit(&h);
}

Test(hand, lowest_is_above_the_last_gap)
{
	struct hand h;
	hand_init(&h, 7, 4096);
	const uint64_t lsns[] = {2, 3, 5, 6};
	for (int i = 0; i < 4; i++)
		cr_assert(hand_add(&h, at(1, lsns[i]), "x", 1) == 0);
	cr_assert(hand_lowest(&h, (struct origin){1}) == 5);
	hand_deinit(&h);
}

Test(hand, one_added_twice_stays_while_the_newer_is_there)
{
	struct hand h;
	const size_t one = sizeof(struct held_record) + 1;
	hand_init(&h, 7, 2 * one);
	cr_assert(hand_add(&h, at(1, 1), "a", 1) == 0 && hand_add(&h, at(1, 1), "b", 1) == 0);
	cr_assert(hand_add(&h, at(1, 2), "c", 1) == 0); /* the first "a" goes */
	cr_assert(hand_get(&h, at(1, 1))->data[0] == 'b');
	cr_assert(hand_add(&h, at(1, 3), "d", 1) == 0);
	cr_assert(!hand_get(&h, at(1, 1)));
	hand_deinit(&h);
}

Test(hand, one_that_is_larger_than_all_room_is_kept_alone)
{
	struct hand h;
	hand_init(&h, 7, 10);
	cr_assert(hand_add(&h, at(1, 1), "0123456789abcdef", 16) == 0 && hand_get(&h, at(1, 1)));
	cr_assert(hand_add(&h, at(1, 2), "", 0) == 0 && !hand_get(&h, at(1, 1)) && hand_get(&h, at(1, 2)));
	hand_deinit(&h);
}
