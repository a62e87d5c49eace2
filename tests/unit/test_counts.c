/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "unit/counts_help.h"
#include "unit/leak.h"
#include "unit/random.h"

#define KEYS 1000
#define BLOCKS 64

struct image { /* what a checkpoint holds */
	struct block blocks[BLOCKS];
	uint8_t bytes[BLOCKS][ARENA_BLOCK];
};

struct model {
	struct counts counts;
	struct random random;
	uint64_t seed;
	int64_t now[KEYS];
	int64_t then[KEYS]; /* what each key was when the cut began */
	bool cutting, given[BLOCKS];
	struct image durable, staged;
};

/* Short and long ones. Returns its size. */
static size_t name(char key[129], size_t i)
{
	size_t size = (size_t)snprintf(key, 129, "k%zu:", i);
	size_t padding = i % 5 == 0 ? 128 - size : i % 7;
	memset(key + size, 'x', padding);
	key[size + padding] = '\0';
	return size + padding;
}

static void add(struct model *m, size_t i)
{
	char key[129];
	size_t size = name(key, i);
	int64_t n = (int64_t)random_below(&m->random, 2001) - 1000;
	cr_assert(counts_add(&m->counts, key, size, n) == 0);
	m->now[i] += n;
}

static void expect(const struct model *m, const struct counts *counts, const int64_t *values)
{
	int64_t total = 0;
	for (size_t i = 0; i < KEYS; i++) {
		char key[129];
		size_t size = name(key, i);
		cr_assert(counts_get(counts, key, size) == values[i], "seed %llu: %s",
			  (unsigned long long)m->seed, key);
		total += values[i];
	}
	cr_assert(counts->total == total);
}

static void give(void *arg, const struct block *b)
{
	struct model *m = arg;
	cr_assert(b->number < BLOCKS && b->size <= ARENA_BLOCK);
	cr_assert(!m->given[b->number], "seed %llu: block %u came twice", (unsigned long long)m->seed,
		  b->number);
	m->given[b->number] = true;
	memcpy(m->staged.bytes[b->number], b->bytes, b->size);
	m->staged.blocks[b->number] = *b;
}

static void never(void *arg, const struct block *b)
{
	(void)arg;
	cr_assert_fail("block %u had not changed", b->number);
}

/* What is loaded from the image is what was when its cut began, and unchanged since. */
static void expect_loaded(const struct model *m)
{
	struct counts loaded;
	counts_init(&loaded, m->seed + 1, ARENA_BLOCK);
	for (size_t i = 0; i < BLOCKS && m->durable.blocks[i].bytes; i++)
		cr_assert(counts_load_block(&loaded, &m->durable.blocks[i]) == 0, "seed %llu: block %zu",
			  (unsigned long long)m->seed, i);
	expect(m, &loaded, m->then);
	arena_cut(&loaded.arena, never, NULL);
	cr_assert(!arena_cut_next(&loaded.arena, BLOCKS));
	counts_deinit(&loaded);
}

static void begin_cut(struct model *m)
{
	memset(m->given, 0, sizeof m->given);
	arena_cut(&m->counts.arena, give, m);
	memcpy(m->then, m->now, sizeof m->then);
	m->staged = m->durable;
	m->cutting = true;
}

/* One block of the cut; after the last the image is checked. */
static void take_cut(struct model *m)
{
	if (arena_cut_next(&m->counts.arena, 1))
		return;
	arena_cut_done(&m->counts.arena);
	m->durable = m->staged;
	for (size_t i = 0; i < BLOCKS; i++) {
		if (m->durable.blocks[i].bytes)
			m->durable.blocks[i].bytes = m->durable.bytes[i];
	}
	m->cutting = false;
	expect_loaded(m);
}

static void random_steps(uint64_t seed)
{
	static struct model m;
	memset(&m, 0, sizeof m);
	m.seed = seed;
	random_seed(&m.random, seed);
	counts_init(&m.counts, seed, 1024 + seed % 5 * 1788); /* to 8176 */
	uint64_t range = 1 + random_below(&m.random, KEYS);
	uint64_t hurry = 1 + random_below(&m.random, 40); /* how fast blocks are taken */
	for (int step = 0; step < 4000; step++) {
		uint64_t draw = random_below(&m.random, 100);
		if (m.cutting && draw < hurry) {
			take_cut(&m);
		} else if (m.cutting && draw == 99) {
			arena_cut_abandon(&m.counts.arena);
			m.cutting = false;
		} else if (!m.cutting && draw < 5) {
			begin_cut(&m);
		} else {
			add(&m, random_below(&m.random, range));
		}
	}
	expect(&m, &m.counts, m.now);
	while (m.cutting)
		take_cut(&m);
	begin_cut(&m);
	while (m.cutting)
		take_cut(&m);
	counts_deinit(&m.counts);
}

Test(counts, and_their_cuts_are_what_a_model_says)
{
	for (uint64_t seed = 1; seed <= 100; seed++)
		random_steps(seed);
	assert_no_leak();
}

Test(counts, are_walked_in_order_of_their_first_like)
{
	struct counts c;
	struct counted e;
	char key[129];
	counts_init(&c, 5, ARENA_BLOCK);
	const size_t keys = 150000; /* several chunks of the arena, several growths of each shard */
	for (size_t i = 0; i < keys; i++)
		cr_assert(counts_add(&c, key, name(key, i), (int64_t)i) == 0);
	cr_assert(c.keys == keys && c.arena.block_count > 2 * ARENA_CHUNK);
	size_t i = 0;
	for (uint64_t at = 0; counts_next(&c, &at, &e); i++) {
		cr_assert(e.size == name(key, i) && memcmp(e.key, key, e.size) == 0);
		cr_assert(e.count == (int64_t)i);
	}
	cr_assert(i == keys);
	counts_deinit(&c);
	assert_no_leak();
}

Test(counts, digest_is_of_the_counts_and_not_of_their_order)
{
	struct counts a, b;
	char key[129];
	counts_init(&a, 1, ARENA_BLOCK);
	counts_init(&b, 2, ARENA_BLOCK);
	cr_assert(counts_digest(&a) == counts_digest(&b));
	for (size_t i = 0; i < 100; i++) {
		cr_assert(counts_add(&a, key, name(key, i), (int64_t)i + 1) == 0);
		cr_assert(counts_add(&b, key, name(key, 99 - i), 100 - (int64_t)i) == 0);
	}
	cr_assert(counts_digest(&a) == counts_digest(&b));
	cr_assert(counts_add(&a, "k1:x", 4, 1) == 0);
	cr_assert(counts_digest(&a) != counts_digest(&b));
	counts_deinit(&a);
	counts_deinit(&b);
	assert_no_leak();
}

static void put_entry(uint8_t *block, size_t *at, const char *key, uint8_t size)
{
	block[*at] = 1; /* the count, little-endian */
	block[*at + 8] = size;
	memcpy(block + *at + 9, key, strlen(key));
	*at += 9 + strlen(key);
}

Test(counts, damaged_blocks_are_refused)
{
	static const struct {
		const char *what, *first, *second;
		uint8_t first_size, second_size;
		uint32_t number;
		size_t more;
		int expected;
	} cases[] = {
	    {"whole", "a", "bc", 1, 2, 0, 0, 0},
	    {"zeros behind", "a", "bc", 1, 2, 0, 100, 0},
	    {"not the next", "a", "b", 1, 1, 1, 0, -EBADMSG},
	    {"a key twice", "a", "a", 1, 1, 0, 0, 0},
	    {"beyond the end", "a", "b", 1, 2, 0, 0, -EBADMSG},
	    {"no key", "a", "b", 1, 0, 0, 0, -EBADMSG},
	    {"too large", "a", "b", 1, 1, 0, ARENA_BLOCK, -EBADMSG},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		static uint8_t bytes[2 * ARENA_BLOCK];
		size_t at = 0;
		struct counts c;
		memset(bytes, 0, sizeof bytes);
		counts_init(&c, 1, ARENA_BLOCK);
		put_entry(bytes, &at, cases[i].first, cases[i].first_size);
		put_entry(bytes, &at, cases[i].second, cases[i].second_size);
		struct block block = {cases[i].number, bytes, at + cases[i].more};
		cr_assert(counts_load_block(&c, &block) == cases[i].expected, "%s", cases[i].what);
		counts_deinit(&c);
	}
	assert_no_leak();
}

/* As many keys as a checkpoint announces find their room at once. */
Test(counts, room_is_kept_for_keys_to_come)
{
	static const uint64_t announced[] = {0, 1, 100, 20000, UINT64_MAX};
	char key[129];
	for (size_t i = 0; i < sizeof announced / sizeof *announced; i++) {
		struct counts c;
		uint32_t before[COUNTS_SHARDS];
		counts_init(&c, 5, ARENA_BLOCK);
		cr_assert(counts_add(&c, "first", 5, 1) == 0);
		cr_assert(counts_reserve(&c, announced[i]) == 0, "what is beyond all memory is no hint");
		for (size_t j = 0; j < COUNTS_SHARDS; j++)
			before[j] = c.shards[j].capacity;
		cr_assert(counts_get(&c, "first", 5) == 1);
		for (size_t j = 0; announced[i] == 20000 && j < announced[i]; j++)
			cr_assert(counts_add(&c, key, name(key, j), 1) == 0);
		size_t grown = 0;
		for (size_t j = 0; j < COUNTS_SHARDS; j++)
			grown += c.shards[j].capacity != before[j];
		cr_assert(grown <= COUNTS_SHARDS / 8, "%zu shards had to grow", grown);
		cr_assert(announced[i] != UINT64_MAX || before[1] <= 4);
		counts_deinit(&c);
	}
	assert_no_leak();
}

Test(counts, a_reservation_takes_nothing_away)
{
	struct counts c;
	char key[129];
	counts_init(&c, 5, ARENA_BLOCK);
	for (size_t i = 0; i < 10000; i++)
		cr_assert(counts_add(&c, key, name(key, i), 1) == 0);
	const uint32_t capacity = c.shards[0].capacity;
	const uint64_t *slots = c.shards[0].slots;
	cr_assert(counts_reserve(&c, 10) == 0);
	cr_assert(c.shards[0].capacity == capacity && c.shards[0].slots == slots, "nor moves anything");
	for (size_t i = 0; i < 10000; i++)
		cr_assert(counts_get(&c, key, name(key, i)) == 1);
	counts_deinit(&c);
	assert_no_leak();
}

/* A block is given out as one when it is full to its last byte, and never more than were asked for. */
Test(counts, a_cut_is_given_in_portions)
{
	static struct model m;
	memset(&m, 0, sizeof m);
	counts_init(&m.counts, 1, 100);
	for (char i = 'a'; i < 'a' + 20; i++) /* 10 of 10 bytes fill a block */
		cr_assert(counts_add(&m.counts, &i, 1, 1) == 0);
	cr_assert(m.counts.arena.block_count == 2 && m.counts.arena.used == 100);
	cr_assert(arena_block(&m.counts.arena, 0).size == 100 && arena_block(&m.counts.arena, 1).size == 100);
	cr_assert(counts_add(&m.counts, "z", 1, 1) == 0);
	cr_assert(m.counts.arena.block_count == 3 && m.counts.arena.used == 10);
	cr_assert(arena_block(&m.counts.arena, 1).size == 100 && arena_block(&m.counts.arena, 2).size == 10);
	begin_cut(&m);
	cr_assert(arena_cut_next(&m.counts.arena, 0) && !m.given[0]);
	cr_assert(arena_cut_next(&m.counts.arena, 1) && m.given[0] && !m.given[1]);
	cr_assert(arena_cut_next(&m.counts.arena, 1) && m.given[1] && !m.given[2]);
	cr_assert(!arena_cut_next(&m.counts.arena, 2) && m.given[2]);
	counts_deinit(&m.counts);
	assert_no_leak();
}

/* Tables change from one kind of memory to the other at a size that both sides must agree on. */
Test(counts, tables_of_just_a_page)
{
	struct counts c;
	counts_init(&c, 5, ARENA_BLOCK);
	cr_assert(counts_reserve(&c, UINT64_C(188000) * COUNTS_SHARDS) == 0);
	cr_assert(c.shards[0].capacity * sizeof(uint64_t) == PAGES_UNIT);
	cr_assert((uintptr_t)c.shards[0].slots % PAGES_UNIT == 0);
	cr_assert(counts_add(&c, "key", 3, 1) == 0 && counts_get(&c, "key", 3) == 1);
	counts_deinit(&c);
	assert_no_leak();
}

Test(counts, an_arena_of_one_full_chunk)
{
	struct arena a;
	uint64_t place;
	arena_init(&a, 64);
	for (uint32_t i = 0; i < ARENA_CHUNK; i++)
		cr_assert(arena_add(&a, 64, &place) == 0);
	cr_assert(a.block_count == ARENA_CHUNK && a.used == 64);
	arena_deinit(&a);
	assert_no_leak();
}
