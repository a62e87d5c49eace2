/* SPDX-License-Identifier: MIT */
/* The map of the store in memory, beside an array of it; and what a copy shares with it. */
#include <criterion/criterion.h>
#include <string.h>

#include "store/items.h"
#include "unit/leak.h"
#include "unit/random.h"

#define KEYS 40

/* Key k is of 1 to 4 bytes, so that some begin with others; its value, of n > 0, n bytes that say so. */
static size_t key_of(unsigned k, char key[5])
{
	memset(key, 'a' + (int)(k / 4), 4);
	return k % 4 + 1;
}

static void put(struct items *items, unsigned k, unsigned n)
{
	char key[5], value[256];
	size_t size = key_of(k, key);
	memset(value, (int)n, sizeof value);
	cr_assert(items_put(items, key, size, value, n) == 0);
}

static void expect(const struct items *items, const unsigned values[KEYS])
{
	size_t at = 0;
	for (unsigned k = 0; k < KEYS; k++) {
		char key[5];
		size_t size = key_of(k, key);
		if (values[k] == 0)
			continue;
		cr_assert(at < items->count);
		const struct item *item = items->list[at++];
		cr_assert(item->key_size == size && memcmp(item->bytes, key, size) == 0, "key %u", k);
		cr_assert(item->value_size == values[k] && item->bytes[size] == values[k], "key %u", k);
	}
	cr_assert(at == items->count);
}

Test(items, are_in_order_and_a_copy_is_its_own)
{
	struct random random;
	random_seed(&random, 20261126);
	struct items *items = items_copy(NULL);
	unsigned values[KEYS] = {0}, before[KEYS];
	for (int round = 0; round < 50; round++) {
		struct items *copy = items_copy(items);
		memcpy(before, values, sizeof before);
		for (int i = 0; i < 20; i++) {
			unsigned k = (unsigned)random_below(&random, KEYS);
			values[k] = random_below(&random, 3) ? (unsigned)random_below(&random, 200) : 0;
			put(copy, k, values[k]);
		}
		expect(items, before);
		expect(copy, values);
		items_unref(items);
		items = copy;
	}
	cr_assert(items_ref(items) == items && items_ref(NULL) == NULL);
	items_unref(items);
	expect(items, values);
	items_unref(items);
	items_unref(NULL);
	assert_no_leak();
}
