/* SPDX-License-Identifier: MIT */
/* Up to where a shared journal is in this server's checkpoint, so that this server will not read it again:
 * all of it, of whatever run, up to a number that the journal gives its records as they come. One look at a
 * time is followed: what the journal held then has to be applied here, and after that be in a durable
 * checkpoint. */
#ifndef CORE_HISTORY_H
#define CORE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

struct history {	  /* zeroed: of nothing it is known */
	uint64_t covered; /* up to this number the newest checkpoint has everything */
	uint64_t number;  /* the newest that the journal had given at the look that is followed; 0: none is */
	uint64_t records; /* a checkpoint with so many applied has all of that; 0: not all is applied yet */
	uint64_t own;	  /* up to here the journal holds this run's own records */
	bool strange;	  /* this look told of records that are not taken here */
};

/* A look is over that told all there was up to the number; whole: and all of it was taken in. */
void history_looked(struct history *h, uint64_t number, bool whole);
/* All that was told is applied, with so many records by now. */
void history_applied(struct history *h, uint64_t records);
/* A checkpoint that began when so many had been applied is durable. */
void history_checkpointed(struct history *h, uint64_t records);

#endif
