/* SPDX-License-Identifier: MIT */
/* The keys of a run: their names, rendered once, how they are drawn, and what became of their likes. */
#ifndef LOAD_KEYS_H
#define LOAD_KEYS_H

#include <stdint.h>

#include "plan.h"

struct key_tally {
	int64_t before; /* the count before the run */
	int64_t sent;	/* likes handed to the library, without those that the cluster refused for good */
	int64_t acked;	/* of these, the acknowledged ones; the rest is in doubt once the load has ended */
};

/* One column of Walker's alias table: a draw that falls on this column means this key with chance `own`
 * (of 2^32), and `alias` otherwise. */
struct key_column {
	uint32_t own;
	uint32_t alias;
};

struct keys {
	uint32_t count;
	uint32_t stride;	    /* bytes from one name to the next in names */
	char *names;		    /* owned, each NUL-terminated */
	struct key_tally *tallies;  /* owned, one a key */
	struct key_column *columns; /* owned; NULL: uniform */
	uint64_t random;	    /* state of the generator */
};

/* prefix is the plan's, or made up. 0, or -ENOMEM (to be deinit-ed all the same). */
int keys_init(struct keys *k, const struct plan *plan);
void keys_deinit(struct keys *k);

static inline const char *keys_name(const struct keys *k, uint32_t index)
{
	return k->names + (uint64_t)index * k->stride;
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static inline uint64_t random_step(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint32_t keys_draw(struct keys *k)
{
	const uint64_t r = random_step(&k->random);
	const uint32_t column = (uint32_t)(((r >> 32) * k->count) >> 32);
	if (!k->columns || (uint32_t)r < k->columns[column].own)
		return column;
	return k->columns[column].alias;
}

#endif
