/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "base/map.h"
#include "unit/leak.h"
#include "unit/random.h"

#define KEYS 64

/* Against an array, few keys and many steps: so that runs of the table form, wrap around its end and are
 * moved back by removals. */
static void random_steps(uint64_t seed)
{
	struct random random;
	struct map m;
	char *model[KEYS] = {0};
	char values[KEYS];
	size_t count = 0;
	random_seed(&random, seed);
	map_init(&m, seed);
	for (int step = 0; step < 3000; step++) {
		uint64_t k = random_below(&random, KEYS), a = k % 8, b = k / 8;
		if (random_below(&random, 2)) {
			char *value = &values[random_below(&random, KEYS)];
			cr_assert(map_put(&m, a, b, value) == 0);
			count += model[k] == NULL;
			model[k] = value;
		} else {
			cr_assert(map_remove(&m, a, b) == model[k], "seed %llu, step %d",
				  (unsigned long long)seed, step);
			count -= model[k] != NULL;
			model[k] = NULL;
		}
		cr_assert(m.count == count);
		for (uint64_t i = 0; i < KEYS; i++)
			cr_assert(map_get(&m, i % 8, i / 8) == model[i], "seed %llu, step %d, key %llu",
				  (unsigned long long)seed, step, (unsigned long long)i);
	}
	map_deinit(&m);
}

Test(map, holds_what_an_array_would)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		random_steps(seed);
	assert_no_leak();
}

Test(map, a_walk_meets_each_once)
{
	struct map m;
	char value, met[1000] = {0};
	map_init(&m, 7);
	for (uint64_t i = 0; i < 1000; i++)
		cr_assert(map_put(&m, i, ~i, &value) == 0);
	struct map_slot *slot;
	size_t walked = 0;
	for (size_t at = 0; (slot = map_next(&m, &at)); walked++) {
		cr_assert(slot->b == ~slot->a && slot->value == &value);
		cr_assert(met[slot->a]++ == 0);
	}
	cr_assert(walked == 1000);
	map_deinit(&m);
	assert_no_leak();
}

Test(map, an_empty_one_answers)
{
	struct map m;
	size_t at = 0;
	map_init(&m, 1);
	cr_assert_null(map_get(&m, 1, 2));
	cr_assert_null(map_remove(&m, 1, 2));
	cr_assert_null(map_next(&m, &at));
	map_deinit(&m);
}
