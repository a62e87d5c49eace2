/* SPDX-License-Identifier: MIT */
/* What a journal's files hold: which segments there are, where each record lies, the newest meta. Only what
 * is on disk is noted here. */
#ifndef STORE_CONTENTS_H
#define STORE_CONTENTS_H

#include "base/bytes.h"
#include "store/index.h"
#include "store/segment.h"

struct segment {
	uint64_t number;       /* below 2^32 */
	uint64_t size;	       /* up to the end of its last entry */
	struct vector highest; /* of the records in it */
};

struct contents {
	struct segment *segments; /* oldest first, owned */
	size_t count, capacity;
	struct index index;    /* place: segment number << 32 | offset */
	struct bytes meta;     /* the newest one's data */
	uint64_t meta_segment; /* where it lies; 0: there is none */
};

void contents_init(struct contents *c);
void contents_deinit(struct contents *c);

/* Adds the segments whose files are in the folder, of which nothing else is known yet. */
int contents_find(struct contents *c, int dir);
struct segment *contents_newest(const struct contents *c); /* there is one */
uint64_t contents_next(const struct contents *c);	   /* number of the next one */
int contents_add(struct contents *c, uint64_t number);	   /* the newest from now on. -ENOMEM */
void contents_remove_newest(struct contents *c);

/* Takes note of an entry of that segment, at that place in it. -ENOMEM. */
int contents_note(struct contents *c, struct segment *segment, const struct segment_head *head, size_t offset,
		  const uint8_t *data);
/* Whether the record is held, and where. */
bool contents_get(const struct contents *c, struct position at, uint64_t *segment, uint64_t *offset);
/* The record there is damaged: it is not held any more. -ENOMEM. */
int contents_forget(struct contents *c, struct position at, uint64_t segment, uint64_t offset);
/* Forgets the oldest segments, as far as floor covers their records (NULL: all but the newest) and the newest
 * meta is not in them. -ENOMEM: some of it. */
int contents_drop(struct contents *c, const struct vector *floor);
uint64_t contents_bytes(const struct contents *c);

#endif
