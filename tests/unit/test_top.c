/* SPDX-License-Identifier: MIT */
/* The top beside a plain model that sorts all keys. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/counts_help.h"
#include "unit/leak.h"
#include "unit/random.h"

#define KEYS 6000 /* several pools of them */
#define MOST TOP_KEPT

struct model {
	struct counts counts;
	struct random random;
	uint64_t seed;
	int64_t now[KEYS];
};

static void start(struct model *m, uint64_t seed)
{
	memset(m, 0, sizeof *m);
	m->seed = seed;
	random_seed(&m->random, seed);
	counts_init(&m->counts, seed, 512);
}

static void add(struct model *m, size_t i, int64_t n)
{
	char key[16];
	size_t size = (size_t)snprintf(key, sizeof key, "k%zu", i);
	cr_assert(counts_add(&m->counts, key, size, n) == 0);
	m->now[i] += n;
}

static int downwards(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* The walks that it takes are counted. Between two steps of one, likes go on. */
static unsigned expect_top(struct model *m, size_t n)
{
	static int64_t sorted[KEYS];
	struct counted top[MOST];
	size_t found;
	unsigned walks = 0;
	while (!counts_top(&m->counts, n, top, &found)) {
		cr_assert(walks++ == 0, "seed %llu: a walk was not enough", (unsigned long long)m->seed);
		while (m->counts.top.walking) {
			top_walk(&m->counts.top, &m->counts.arena, 3);
			add(m, random_below(&m->random, KEYS), (int64_t)random_below(&m->random, 7) + 1);
		}
	}
	memcpy(sorted, m->now, sizeof sorted);
	qsort(sorted, KEYS, sizeof *sorted, downwards);
	for (size_t i = 0; i < found; i++) {
		char key[16] = "";
		memcpy(key, top[i].key, top[i].size);
		cr_assert(top[i].count == sorted[i], "seed %llu: place %zu of %zu counts %lld, not %lld",
			  (unsigned long long)m->seed, i, n, (long long)top[i].count, (long long)sorted[i]);
		cr_assert(m->now[strtoul(key + 1, NULL, 10)] == sorted[i]);
		cr_assert(i == 0 || top[i].key != top[i - 1].key, "one key twice");
	}
	cr_assert(found == n || sorted[found] <= 0, "seed %llu: %zu of %zu", (unsigned long long)m->seed,
		  found, n);
	return walks;
}

Test(top, is_that_of_a_model_that_sorts)
{
	static struct model m;
	unsigned walks = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		start(&m, seed);
		size_t skew = 1 + random_below(&m.random, 3);
		for (size_t step = 0; step < 60000; step++) {
			size_t i = random_below(&m.random, KEYS);
			for (size_t s = 1; s < skew; s++)
				i = random_below(&m.random, i + 1);
			int64_t n = (int64_t)random_below(&m.random, 20) - (step / 10000 % 2 ? 12 : 5);
			add(&m, i, n);
			if (random_below(&m.random, 2000) == 0)
				walks += expect_top(&m, 1 + random_below(&m.random, MOST));
		}
		counts_deinit(&m.counts);
	}
	cr_assert(walks > 0, "the unlikes were too few to need a walk");
	assert_no_leak();
}

Test(top, only_rising_needs_no_walk)
{
	static struct model m;
	start(&m, 1);
	for (size_t step = 0; step < 200000; step++) {
		add(&m, random_below(&m.random, KEYS), 1 + (int64_t)random_below(&m.random, 3));
		if (step % 5000 == 0)
			cr_assert(expect_top(&m, 100) == 0);
	}
	counts_deinit(&m.counts);
}

Test(top, survives_a_load_of_all_blocks)
{
	static struct model m, loaded;
	start(&m, 1);
	start(&loaded, 1);
	for (size_t step = 0; step < 50000; step++)
		add(&m, random_below(&m.random, KEYS), (int64_t)random_below(&m.random, 20) - 5);
	for (uint32_t i = 0; i < m.counts.arena.block_count; i++) {
		struct block block = arena_block(&m.counts.arena, i);
		cr_assert(counts_load_block(&loaded.counts, &block) == 0);
	}
	memcpy(loaded.now, m.now, sizeof m.now);
	cr_assert(expect_top(&loaded, MOST) == 0);
	counts_deinit(&m.counts);
	counts_deinit(&loaded.counts);
	assert_no_leak();
}

Test(top, of_nothing_is_empty)
{
	struct counts c;
	struct counted top[1];
	size_t found = 7;
	counts_init(&c, 1, ARENA_BLOCK);
	cr_assert(counts_top(&c, 1, top, &found) && found == 0);
	cr_assert(counts_add(&c, "a", 1, -3) == 0);
	cr_assert(counts_top(&c, 1, top, &found) && found == 0);
	cr_assert(!counts_top(&c, MOST + 1, top, &found));
	counts_deinit(&c);
}

/* Keys 0..count-1 count n each. */
static void start_equal(struct model *m, size_t count, int64_t n)
{
	start(m, 1);
	for (size_t i = 0; i < count; i++)
		add(m, i, n);
}

/* Of many that count the same few are kept: when these sink, the others are looked for. */
Test(top, the_others_are_looked_for_however_little_they_count)
{
	static struct model m;
	struct counted top[MOST];
	size_t found;
	start_equal(&m, 3000, 1);
	cr_assert(m.counts.top.pool.floor == 1);
	cr_assert(counts_top(&m.counts, MOST, top, &found) && found == MOST);
	for (size_t i = 0; i < KEYS; i++) { /* all that are kept, and no other */
		char key[16];
		size_t size = (size_t)snprintf(key, sizeof key, "k%zu", i);
		for (size_t j = 0; j < found; j++) {
			if (top[j].size == size && memcmp(top[j].key, key, size) == 0)
				m.now[i] = 0;
		}
	}
	for (size_t i = 0; i < 3000; i++) {
		if (m.now[i] == 0) {
			m.now[i] = 1;
			add(&m, i, -1);
		}
	}
	cr_assert(expect_top(&m, MOST) == 1);
	counts_deinit(&m.counts);
}

Test(top, is_walked_in_steps)
{
	static struct model m;
	struct counted top[MOST];
	size_t found;
	start_equal(&m, 3000, 1);
	struct top *t = &m.counts.top;
	const struct arena *arena = &m.counts.arena;
	for (size_t i = 0; i < 3000; i++)
		add(&m, i, -1);
	cr_assert(!counts_top(&m.counts, 1, top, &found) && t->walking && t->block == 0);
	top_walk(t, arena, 0);
	cr_assert(t->block == 0);
	top_walk(t, arena, 3);
	cr_assert(t->block == 3 && !counts_top(&m.counts, 1, top, &found) && t->block == 3);
	top_walk(t, arena, arena->block_count - 4);
	cr_assert(t->walking);
	top_walk(t, arena, arena->block_count);
	cr_assert(!t->walking && counts_top(&m.counts, 1, top, &found) && found == 0);
	counts_deinit(&m.counts);
}

Test(top, what_rises_again_and_again_during_a_walk_is_in_it)
{
	static struct model m;
	struct counted top[MOST];
	size_t found;
	start_equal(&m, 3000, 10);
	for (size_t i = 0; i < 3000; i++)
		add(&m, i, i < 2000 ? -1 : -9);
	cr_assert(!counts_top(&m.counts, MOST, top, &found));
	top_walk(&m.counts.top, &m.counts.arena, m.counts.arena.block_count - 1);
	for (size_t i = 0; i < 600; i++)
		add(&m, i, 100);
	for (size_t i = 400; i < 600; i++)
		add(&m, i, 1);
	cr_assert(m.counts.top.walking);
	top_walk(&m.counts.top, &m.counts.arena, 1);
	cr_assert(expect_top(&m, MOST) == 0);
	counts_deinit(&m.counts);
}

/* What stands on the stack from now on where what is called next has its own. */
static void __attribute__((noinline)) fill_stack(void)
{
	volatile uint8_t bytes[3 * TOP_POOL * sizeof(uint64_t[2])];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = 1;
}

/* Those that count nothing again, and those that are there twice, take no other's place. */
Test(top, has_nothing_that_counts_nothing)
{
	static struct model m;
	struct counted top[MOST];
	size_t found;
	start_equal(&m, TOP_KEPT - 1, 3);
	for (int i = 0; i < 2 * TOP_POOL; i++) {
		fill_stack();
		add(&m, TOP_KEPT, i % 2 ? -1 : 1);
	}
	cr_assert(counts_top(&m.counts, MOST, top, &found) && found == TOP_KEPT - 1);
	cr_assert(m.counts.top.pool.floor == 0, "none was left out");
	counts_deinit(&m.counts);
}

/* While a walk goes on all that rises is looked at, as far as it was looked through by then. */
Test(top, what_rises_among_equals_during_a_walk_is_in_it)
{
	static struct model m;
	struct counted top[MOST];
	size_t found;
	start_equal(&m, 3000, 1);
	for (size_t i = 0; i < 3000; i++)
		add(&m, i, -1);
	struct top *t = &m.counts.top;
	cr_assert(!counts_top(&m.counts, MOST, top, &found) && t->pool.count == 0);
	for (size_t i = 0; i < 3000; i++)
		add(&m, i, i < 200 ? 5 : 1);
	top_walk(t, &m.counts.arena, m.counts.arena.block_count - 1);
	cr_assert(t->pool.floor < 5 && t->next.floor == 5, "as many as 5 as it keeps");
	for (size_t i = 0; i < 200; i++)
		add(&m, i, 1 + (int64_t)i);
	top_walk(t, &m.counts.arena, 1);
	cr_assert(!t->walking && expect_top(&m, MOST) == 0);
	counts_deinit(&m.counts);
}

Test(top, a_walk_ends_where_the_blocks_do)
{
	static struct model m;
	struct counted top[MOST];
	size_t found;
	start_equal(&m, 3000, 1);
	for (size_t i = 0; i < 2999; i++)
		add(&m, i, -1);
	struct arena *arena = &m.counts.arena;
	cr_assert(!counts_top(&m.counts, 2, top, &found) && m.counts.top.walking);
	const uint32_t blocks = arena->block_count--; /* and what stands behind them is none */
	top_walk(&m.counts.top, arena, blocks + 1);
	arena->block_count = blocks;
	cr_assert(!m.counts.top.walking && m.counts.top.pool.count == 0);
	counts_deinit(&m.counts);
}
