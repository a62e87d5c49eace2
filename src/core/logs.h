/* SPDX-License-Identifier: MIT */
/* The logs of origins with which something is going on: what is known of each, and its records that wait
 * beyond a gap. */
#ifndef CORE_LOGS_H
#define CORE_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/map.h"
#include "core/record.h"

/* What is known of an origin's log while something is going on with it: it is this server's or a peer's
 * present run, or some of it is on its way. How far it is applied stands in V. */
struct log {
	struct origin origin;
	struct node owner;	 /* whose run it is; 0: not known yet */
	uint64_t appended;	 /* up to here handed to the journal */
	uint64_t known;		 /* up to here somebody holds it */
	uint64_t damaged;	 /* up to here it was in this server's own journal, before damage */
	uint64_t held;		 /* up to here the shared journal holds it; 0: it is not written there */
	uint64_t awaited;	 /* up to here it held it when this server looked first: it had it, perhaps */
	struct record **waiting; /* beyond a gap, sorted by lsn; owned references */
	size_t waiting_count, waiting_capacity;
	int64_t gap_since;   /* when appended < known was first noticed; 0: no gap */
	int64_t asked_until; /* a fetch is on its way until then; 0: none */
	uint64_t asked_from; /* … for what comes from here on */
	struct node asked;   /* whom */
	bool asked_again;    /* … when the one before had not answered in time */
	unsigned tries;	     /* fetches so far that brought nothing */
	unsigned late;	     /* … more of them than came soon lately: the next is given longer */
	unsigned gone;	     /* answers in a row that said the records are not held any more */
	bool let_go;	     /* the shared journal has said so */
};

struct logs {
	struct map by_origin; /* (origin, 0) → struct log, owned */
	size_t waiting_bytes; /* of all logs' records beyond gaps */
};

void logs_init(struct logs *l, uint64_t seed);
void logs_clear(struct logs *l); /* frees all; it may be used further */

struct log *logs_find(const struct logs *l, struct origin origin); /* NULL: none */
/* For one that has none; applied: how far the origin's records are. NULL: out of memory. */
struct log *logs_open(struct logs *l, struct origin origin, uint64_t applied);
void logs_close(struct logs *l, struct log *log);
/* Walks, from *at = 0 on; NULL at the end. Nothing is opened or closed meanwhile. */
struct log *logs_next(const struct logs *l, size_t *at);

/* Somebody holds it up to there: there is a gap, or none. */
void log_note_known(struct log *log, uint64_t lsn, int64_t now);
/* Keeps the record, a reference, among those that wait, unless it is there or there is no room: it is fetched
 * later then. 0 or -ENOMEM. */
int logs_keep_waiting(struct logs *l, struct log *log, struct record *record);
/* The first so many need not wait any more. */
void logs_drop_waiting(struct logs *l, struct log *log, size_t count);

#endif
