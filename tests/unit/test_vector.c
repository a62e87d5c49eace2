/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "base/random.h"
#include "core/vector.h"
#include "unit/leak.h"

#define ORIGINS 12

static struct origin origin(uint64_t i)
{
	return (struct origin){i * UINT64_C(0x9e3779b97f4a7c15) + 1};
}

static void set(struct vector *v, uint64_t i, uint64_t lsn)
{
	cr_assert(vector_set(v, origin(i), lsn) == 0);
}

Test(vector, holds_what_an_array_would)
{
	struct random random;
	struct vector v = {0};
	uint64_t model[ORIGINS] = {0};
	random_seed(&random, 3);
	for (int step = 0; step < 5000; step++) {
		uint64_t i = random_below(&random, ORIGINS), lsn = 1 + random_below(&random, 100);
		if (random_below(&random, 3)) {
			set(&v, i, lsn);
			model[i] = lsn;
		} else {
			vector_remove(&v, origin(i));
			model[i] = 0;
		}
		for (uint64_t k = 0; k < ORIGINS; k++)
			cr_assert(vector_get(&v, origin(k)) == model[k], "step %d", step);
		for (size_t k = 1; k < v.count; k++)
			cr_assert(v.at[k - 1].origin.id < v.at[k].origin.id, "step %d", step);
	}
	vector_deinit(&v);
	assert_no_leak();
}

Test(vector, merging_raises_and_never_lowers)
{
	struct vector a = {0}, b = {0};
	set(&a, 1, 5);
	set(&a, 2, 9);
	set(&b, 2, 7);
	set(&b, 3, 1);
	cr_assert(vector_merge(&a, &b) == 0);
	cr_assert(a.count == 3);
	cr_assert(vector_get(&a, origin(1)) == 5 && vector_get(&a, origin(2)) == 9 &&
		  vector_get(&a, origin(3)) == 1);
	vector_deinit(&a);
	vector_deinit(&b);
	assert_no_leak();
}

Test(vector, covers_is_for_every_entry)
{
	struct vector a = {0}, b = {0};
	cr_assert(vector_covers(&a, &b));
	set(&b, 1, 5);
	cr_assert(!vector_covers(&a, &b) && vector_covers(&b, &a));
	set(&a, 1, 4);
	cr_assert(!vector_covers(&a, &b));
	set(&a, 1, 6);
	cr_assert(vector_covers(&a, &b) && !vector_covers(&b, &a));
	set(&b, 2, 1);
	cr_assert(!vector_covers(&a, &b));
	vector_deinit(&a);
	vector_deinit(&b);
	assert_no_leak();
}

Test(vector, copies_are_apart)
{
	struct vector a = {0}, b = {0};
	set(&a, 1, 5);
	set(&b, 2, 1);
	set(&b, 3, 1);
	cr_assert(vector_copy(&b, &a) == 0);
	cr_assert(b.count == 1 && vector_get(&b, origin(1)) == 5 && vector_get(&b, origin(2)) == 0);
	set(&a, 1, 6);
	cr_assert(vector_get(&b, origin(1)) == 5);
	a.count = 0;
	cr_assert(vector_copy(&b, &a) == 0 && b.count == 0);
	vector_deinit(&a);
	vector_deinit(&b);
	assert_no_leak();
}
