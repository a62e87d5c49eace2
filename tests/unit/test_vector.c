/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "core/vector.h"
#include "unit/leak.h"
#include "unit/random.h"

static struct origin origin(uint64_t i)
{
	return (struct origin){i * UINT64_C(0x9e3779b97f4a7c15) + 1};
}

static void set(struct vector *v, uint64_t i, uint64_t lsn)
{
	cr_assert(vector_set(v, origin(i), lsn) == 0);
}

/* Few origins, which stay in the upper layer, and so many that the lower one is made anew again and again. */
static void like_an_array(uint64_t origins, int steps)
{
	struct random random;
	struct vector v = {0}, old = {0};
	uint64_t *model = calloc(origins, sizeof *model), *before = calloc(origins, sizeof *before);
	random_seed(&random, 3);
	for (int step = 0; step < steps; step++) {
		uint64_t i = random_below(&random, origins), lsn = 1 + random_below(&random, 100);
		set(&v, i, lsn);
		model[i] = lsn;
		cr_assert(vector_get(&v, origin(i)) == lsn, "step %d", step);
		if (step % 997 != 0)
			continue;
		struct vector_walk walk = {0};
		struct position at, last = {{0}, 0};
		size_t count = 0, old_count = 0;
		for (; vector_next(&v, &walk, &at); last = at, count++)
			cr_assert(last.origin.id < at.origin.id, "step %d", step);
		uint64_t digest = 0;
		bool covers = true;
		for (uint64_t k = 0; k < origins; k++) {
			struct position one = {origin(k), model[k]};
			cr_assert(vector_get(&v, origin(k)) == model[k], "step %d", step);
			cr_assert(vector_get(&old, origin(k)) == before[k], "step %d", step);
			digest += vector_digest_with(&(struct vector){0}, &one, 1);
			count -= model[k] != 0;
			old_count += model[k] != 0;
			covers = covers && model[k] >= before[k];
		}
		cr_assert(count == 0 && vector_size(&v) == old_count && v.digest == digest, "step %d", step);
		cr_assert(vector_covers(&v, &old) == covers, "step %d", step);
		struct vector low = {0};
		cr_assert(vector_copy(&low, &v) == 0 && vector_lower(&low, &old) == 0);
		cr_assert(vector_covers(&v, &low) && vector_covers(&old, &low));
		for (uint64_t k = 0; k < origins; k++)
			cr_assert(vector_get(&low, origin(k)) ==
				  (model[k] < before[k] ? model[k] : before[k]));
		vector_deinit(&low);
		cr_assert(vector_copy(&old, &v) == 0 && vector_covers(&old, &v));
		memcpy(before, model, origins * sizeof *model);
	}
	vector_deinit(&v);
	vector_deinit(&old);
	free(model);
	free(before);
	assert_no_leak();
}

Test(vector, holds_what_an_array_would)
{
	like_an_array(12, 20000);
	like_an_array(500, 20000);
	like_an_array(3000, 50000);
}

Test(vector, copies_of_a_long_one_share_it)
{
	struct vector a = {0}, b = {0}, c = {0};
	for (uint64_t i = 0; i < 100000; i++)
		set(&a, i, i + 1);
	cr_assert(vector_size(&a) == 100000 && a.count < 1000);
	cr_assert(vector_copy(&b, &a) == 0 && a.base == b.base);
	set(&a, 7, 9);
	set(&a, 200000, 1);
	cr_assert(vector_covers(&a, &b) && !vector_covers(&b, &a) && a.base == b.base);
	for (uint64_t i = 0; i < 100000; i += 5000)
		set(&c, i, i + 1);
	cr_assert(vector_covers(&b, &c) && !vector_covers(&c, &b));
	set(&c, 5000, 5002);
	cr_assert(!vector_covers(&b, &c));
	struct position more[] = {{origin(7), 9}, {origin(200000), 1}};
	cr_assert(vector_digest_with(&b, more, 2) == a.digest && b.digest != a.digest);
	struct position at;
	struct vector_walk walk = vector_walk_after(&a, origin(1));
	cr_assert(vector_next(&a, &walk, &at) && at.origin.id > origin(1).id);
	walk = vector_walk_after(&a, (struct origin){UINT64_MAX});
	cr_assert(!vector_next(&a, &walk, &at));
	vector_deinit(&a);
	cr_assert(vector_get(&b, origin(7)) == 8);
	vector_deinit(&b);
	vector_deinit(&c);
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
	vector_clear(&a);
	cr_assert(vector_copy(&b, &a) == 0 && vector_size(&b) == 0 && b.digest == 0);
	vector_deinit(&a);
	vector_deinit(&b);
	assert_no_leak();
}

/* Long ones that were made apart share nothing. */
Test(vector, covers_is_for_every_entry_of_either_layer)
{
	enum { COUNT = 5000 };
	struct vector a = {0}, b = {0};
	for (uint64_t i = 1; i <= COUNT; i++) {
		cr_assert(vector_set(&a, (struct origin){10 * i}, 5) == 0);
		cr_assert(vector_set(&b, (struct origin){10 * i}, 5) == 0);
	}
	cr_assert(a.base && b.base && a.base != b.base);
	cr_assert(vector_covers(&a, &b) && vector_covers(&b, &a));
	cr_assert(vector_set(&b, (struct origin){20}, 6) == 0);
	cr_assert(!vector_covers(&a, &b) && vector_covers(&b, &a));
	cr_assert(vector_set(&b, (struct origin){20}, 5) == 0 && vector_set(&b, (struct origin){25}, 1) == 0);
	cr_assert(vector_set(&a, (struct origin){7}, 1) == 0);
	cr_assert(!vector_covers(&a, &b) && !vector_covers(&b, &a), "each has one that the other lacks");
	struct vector higher = {0};
	for (uint64_t i = 1; i <= COUNT; i++)
		cr_assert(vector_set(&higher, (struct origin){10 * i}, i == 2 ? 6 : 5) == 0);
	cr_assert(vector_covers(&higher, &a) == false && !vector_covers(&a, &higher));
	cr_assert(vector_set(&a, (struct origin){20}, 6) == 0 && vector_covers(&a, &higher));
	vector_deinit(&higher);
	struct vector none = {0};
	cr_assert(vector_lower(&a, &none) == 0 && vector_size(&a) == 0 && a.digest == 0);
	vector_deinit(&a);
	vector_deinit(&b);
}
