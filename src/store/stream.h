/* SPDX-License-Identifier: MIT */
/* A log that several servers write to, each the records of its own run, and all may read: NATS JetStream
 * (store/nats.c), or the simulator's (tests/sim/stream.c). Nothing here waits for it: what was asked for
 * comes by take(). It numbers what it stores, of whatever run, as it comes. store/shared.c makes a store of
 * it. One thread.
 *
 * Functions returning int: 0 or a negative errno unless said otherwise, after which it is not used further.
 */
#ifndef STORE_STREAM_H
#define STORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

enum told_type {
	TOLD_HELD,   /* node wrote records up to at */
	TOLD_LOOKED, /* that was all, when the look was asked for and at.lsn the newest number it had given */
	TOLD_RECORD, /* at, data: one that was asked for */
	TOLD_FETCHED, /* that was all there is of what was asked for from `at` on, or all that is sent at a
			 time */
	TOLD_GONE,    /* what was asked for from `at` on is not there any more */
};

struct told_entry {
	enum told_type type;
	struct node node;
	struct position at;
	const uint8_t *data; /* valid during the call */
	size_t size;
	bool ended; /* HELD: what is there was written by end() */
};
typedef int (*told_fn)(void *arg, const struct told_entry *told);

struct stream;
struct stream_ops {
	void (*close)(struct stream *s);
	/* Adds a record to the group; it is copied. */
	int (*write)(struct stream *s, struct position at, const void *data, size_t size);
	/* Begins to make the group durable: in order, none twice, none without the one before. */
	int (*commit)(struct stream *s);
	/* 1: that goes on; 0: it is durable. */
	int (*poll)(struct stream *s);
	/* Why nothing gets durable at the moment, for people; NULL: nothing is wrong. */
	const char *(*trouble)(struct stream *s);
	/* Unless one is on its way: HELD for each origin, then LOOKED, all in one take(). */
	void (*look)(struct stream *s);
	/* Writes the last record of an earlier run of this node, behind what it has written. What that run
	 * had on its way and is not stored by then never is. Some time, or not at all: the next look tells.
	 */
	void (*end)(struct stream *s, struct position at, const void *data, size_t size);
	/* Lets go of the records up to this number, but each origin's last: some time, or not at all. */
	void (*purge)(struct stream *s, uint64_t number);
	void (*fetch)(struct stream *s, struct origin origin, uint64_t from, uint64_t to);
	/* Calls fn for what has come. A non-zero answer ends it, and is returned. */
	int (*take)(struct stream *s, told_fn fn, void *arg);
	uint64_t (*bytes)(const struct stream *s);
	int (*descriptor)(
	    const struct stream *s); /* readable when there is something to poll or take; -1: none */
};

struct stream {
	const struct stream_ops *ops;
	struct node node;     /* whose records are written, … */
	struct origin origin; /* … and in which run of it: set by who appends, before */
};

#endif
