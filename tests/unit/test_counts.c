#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "core/counts.h"
#include "unit/leak.h"

#define KEYS 300

struct model {
	struct counts counts;
	struct random random;
	uint64_t seed;
	int64_t now[KEYS];
	bool dirty[KEYS];
	/* The cut: what each key was at its beginning, and which are to come or came. */
	int64_t then[KEYS];
	bool due[KEYS];
	bool cutting;
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

static size_t index_of(const char *key)
{
	return strtoul(key + 1, NULL, 10);
}

static void add(struct model *m, size_t i)
{
	char key[129];
	size_t size = name(key, i);
	int64_t n = (int64_t)random_below(&m->random, 2001) - 1000;
	cr_assert(counts_add(&m->counts, key, size, n) == 0);
	m->now[i] += n;
	m->dirty[i] = true;
}

static void expect_counts(const struct model *m)
{
	int64_t total = 0;
	for (size_t i = 0; i < KEYS; i++) {
		char key[129];
		size_t size = name(key, i);
		cr_assert(counts_get(&m->counts, key, size) == m->now[i], "seed %llu: %s",
			  (unsigned long long)m->seed, key);
		total += m->now[i];
	}
	cr_assert(m->counts.total == total);
}

static void begin_cut(struct model *m)
{
	counts_cut(&m->counts);
	memcpy(m->then, m->now, sizeof m->then);
	memcpy(m->due, m->dirty, sizeof m->due);
	memset(m->dirty, 0, sizeof m->dirty);
	m->cutting = true;
}

/* One entry of the cut; at its end all that were due must have come. */
static void take_cut(struct model *m)
{
	struct counted e;
	if (counts_cut_next(&m->counts, &e)) {
		size_t i = index_of(e.key);
		cr_assert(m->due[i], "seed %llu: %zu was not due, or came twice", (unsigned long long)m->seed,
			  i);
		cr_assert(e.count == m->then[i], "seed %llu: %zu is %lld, was %lld",
			  (unsigned long long)m->seed, i, (long long)e.count, (long long)m->then[i]);
		m->due[i] = false;
		return;
	}
	for (size_t i = 0; i < KEYS; i++)
		cr_assert(!m->due[i], "seed %llu: %zu did not come", (unsigned long long)m->seed, i);
	m->cutting = false;
}

/* What was due and what had come is dirty again, whatever changed meanwhile. */
static void abandon_cut(struct model *m, const bool *in_cut)
{
	cr_assert(counts_cut_abandon(&m->counts) == 0);
	for (size_t i = 0; i < KEYS; i++)
		m->dirty[i] = m->dirty[i] || in_cut[i];
	m->cutting = false;
}

static void random_steps(uint64_t seed)
{
	static struct model m;
	bool in_cut[KEYS] = {0};
	memset(&m, 0, sizeof m);
	m.seed = seed;
	random_seed(&m.random, seed);
	counts_init(&m.counts, seed);
	uint64_t range = 1 + random_below(&m.random, KEYS);
	for (int step = 0; step < 4000; step++) {
		uint64_t draw = random_below(&m.random, 100);
		if (draw < 60) {
			add(&m, random_below(&m.random, range));
		} else if (m.cutting && draw < 99) {
			take_cut(&m);
		} else if (m.cutting) {
			abandon_cut(&m, in_cut);
		} else if (draw < 70) {
			memcpy(in_cut, m.dirty, sizeof in_cut);
			begin_cut(&m);
		}
	}
	expect_counts(&m);
	while (m.cutting)
		take_cut(&m);
	begin_cut(&m);
	while (m.cutting)
		take_cut(&m);
	counts_deinit(&m.counts);
}

Test(counts, and_their_cuts_are_what_a_model_says)
{
	for (uint64_t seed = 1; seed <= 60; seed++)
		random_steps(seed);
	assert_no_leak();
}

Test(counts, are_walked_in_order_of_their_first_like)
{
	struct counts c;
	struct counted e;
	char key[129];
	counts_init(&c, 5);
	const size_t keys = 60000; /* several chunks of the arena, several growths of each shard */
	for (size_t i = 0; i < keys; i++)
		cr_assert(counts_add(&c, key, name(key, i), (int64_t)i) == 0);
	cr_assert(c.keys == keys && c.chunk_count > 2);
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
	counts_init(&a, 1);
	counts_init(&b, 2);
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

Test(counts, loaded_ones_are_clean)
{
	struct counts c;
	struct counted e;
	counts_init(&c, 1);
	cr_assert(counts_add(&c, "a", 1, 5) == 0 && counts_add(&c, "b", 1, 6) == 0);
	counts_mark_clean(&c);
	cr_assert(counts_add(&c, "b", 1, 1) == 0);
	counts_cut(&c);
	cr_assert(counts_cut_next(&c, &e) && e.size == 1 && e.key[0] == 'b' && e.count == 7);
	cr_assert(!counts_cut_next(&c, &e));
	cr_assert(counts_get(&c, "a", 1) == 5 && counts_get(&c, "none", 4) == 0);
	counts_deinit(&c);
	assert_no_leak();
}
