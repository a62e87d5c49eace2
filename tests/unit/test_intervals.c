/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "core/intervals.h"
#include "unit/leak.h"
#include "unit/random.h"

#define RANGE 96

static void expect_same(const struct intervals *s, const bool *model, uint64_t seed, int step)
{
	size_t runs = 0;
	for (uint64_t x = 0; x < RANGE; x++) {
		cr_assert(intervals_has(s, x) == model[x], "seed %llu, step %d: %llu",
			  (unsigned long long)seed, step, (unsigned long long)x);
		runs += model[x] && (x == 0 || !model[x - 1]);
	}
	cr_assert(s->count == runs, "seed %llu, step %d: %zu intervals, not %zu", (unsigned long long)seed,
		  step, s->count, runs);
	for (size_t i = 0; i < s->count; i++) {
		cr_assert(s->at[i].lo <= s->at[i].hi);
		cr_assert(i == 0 || s->at[i - 1].hi + 1 < s->at[i].lo, "neither overlapping nor touching");
	}
}

static void random_steps(uint64_t seed)
{
	struct random random;
	struct intervals s = {0};
	bool model[RANGE] = {0};
	random_seed(&random, seed);
	uint64_t longest = 1 + random_below(&random, 12), removals = random_below(&random, 4);
	for (int step = 0; step < 400; step++) {
		uint64_t lo = random_below(&random, RANGE);
		if (random_below(&random, 4) < removals) {
			cr_assert(intervals_remove(&s, lo) == 0);
			model[lo] = false;
		} else {
			uint64_t hi = lo + random_below(&random, longest);
			hi = hi < RANGE ? hi : RANGE - 1;
			cr_assert(intervals_add(&s, lo, hi) == 0);
			memset(&model[lo], true, hi - lo + 1);
		}
		expect_same(&s, model, seed, step);
	}
	intervals_deinit(&s);
}

Test(intervals, hold_what_a_bitmap_would)
{
	for (uint64_t seed = 1; seed <= 200; seed++)
		random_steps(seed);
	assert_no_leak();
}

Test(intervals, reach_to_the_ends_of_the_numbers)
{
	struct intervals s = {0};
	cr_assert(intervals_add(&s, UINT64_MAX, UINT64_MAX) == 0);
	cr_assert(intervals_add(&s, 0, 0) == 0);
	cr_assert(s.count == 2 && intervals_has(&s, 0) && intervals_has(&s, UINT64_MAX));
	cr_assert(!intervals_has(&s, 1) && !intervals_has(&s, UINT64_MAX - 1));
	cr_assert(intervals_add(&s, 1, UINT64_MAX - 1) == 0);
	cr_assert(s.count == 1 && s.at[0].lo == 0 && s.at[0].hi == UINT64_MAX);
	cr_assert(intervals_add(&s, 5, UINT64_MAX) == 0 && s.count == 1);
	cr_assert(intervals_remove(&s, 0) == 0 && intervals_remove(&s, UINT64_MAX) == 0);
	cr_assert(s.count == 1 && s.at[0].lo == 1 && s.at[0].hi == UINT64_MAX - 1);
	intervals_deinit(&s);
	assert_no_leak();
}

Test(intervals, numbers_that_count_up_stay_one_interval)
{
	struct intervals s = {0};
	for (uint64_t x = 1; x <= 100000; x++)
		cr_assert(intervals_add(&s, x, x) == 0);
	cr_assert(s.count == 1 && s.capacity == 1);
	intervals_deinit(&s);
}

Test(intervals, the_highest_number_is_one_like_others)
{
	struct intervals s = {0};
	cr_assert(intervals_add(&s, 5, 5) == 0 && intervals_add(&s, 9, UINT64_MAX) == 0 && s.count == 2);
	cr_assert(intervals_add(&s, 3, UINT64_MAX) == 0 && s.count == 1 && s.at[0].lo == 3);
	cr_assert(intervals_has(&s, UINT64_MAX) && !intervals_has(&s, 2));
	intervals_deinit(&s);
}

Test(intervals, reach_to_the_last_number)
{
	struct intervals s = {0};
	cr_assert(intervals_add(&s, 10, 20) == 0 && intervals_add(&s, 30, 40) == 0);
	cr_assert(intervals_add(&s, 15, UINT64_MAX) == 0 && s.count == 1);
	cr_assert(s.at[0].lo == 10 && s.at[0].hi == UINT64_MAX);
	intervals_deinit(&s);
}
