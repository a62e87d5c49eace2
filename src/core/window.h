/* SPDX-License-Identifier: MIT */
/* A client's batches from the first like to their result: one gathers (open), up to LIMIT_IN_FLIGHT are
 * closed, of which the older ones are numbered and on their way.
 *
 *   serial   first ……………… numbered ……………… next
 *            numbered,       closed, not      the open one
 *            unresolved      yet numbered     (may be absent)
 *
 * Serials count closed batches over the window's whole life; a session's numbers are serials less a base.
 * Tickets run on through the batches in the order of serials. A numbered batch never changes. */
#ifndef CORE_WINDOW_H
#define CORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "kudos.h"

#define WINDOW_RING 128		 /* a power of two above LIMIT_IN_FLIGHT */
#define WINDOW_CONTENT_MAX 60000 /* bytes of events in a batch: leaves room below LIMIT_BATCH_BYTES */
/* Kept free before a batch's events, so that its header, known only when it is numbered, can be put there
 * without moving them. */
#define PARCEL_HEADROOM 64

/* A batch and what is known of its way. Its events are opaque here: what window_add() was given, end to end,
 * in content behind PARCEL_HEADROOM bytes. */
struct parcel {
	struct bytes content;
	size_t header_size; /* how many bytes just before the events are its header; 0: none written yet */
	uint64_t seq;	    /* 0: not numbered */
	uint64_t first;	    /* ticket of its first event */
	size_t events;
	int64_t opened_at;
	int64_t due;	     /* numbered: when it is to be sent (again) */
	unsigned tries;	     /* how often it was sent */
	struct parcel *next; /* among the spare ones */
};

struct window {
	struct parcel *ring[WINDOW_RING]; /* by serial; NULL: resolved, or none */
	uint64_t first, numbered, next;
	uint64_t base;	     /* seq = serial - base */
	struct parcel *open; /* NULL: none */
	struct parcel *spare;
	uint64_t taken, resolved; /* tickets */
};

typedef void (*window_result_fn)(void *arg, const struct kudos_result *result);

void window_init(struct window *w);
void window_deinit(struct window *w);

/* Adds one event, encoded by the caller (size at most WINDOW_CONTENT_MAX), and gives it the next ticket.
 * KUDOS_BUSY: the open batch is full and no other may be closed; -ENOMEM. */
int window_add(struct window *w, int64_t now, const void *event, size_t size);
/* Whether the open batch may not take a further event, of up to 192 bytes. */
bool window_full(const struct window *w);
/* Closes the open batch. False: there is none, or LIMIT_IN_FLIGHT are closed and unresolved. */
bool window_close(struct window *w);

/* From here on closed batches are numbered 1, 2, 3, …; nothing numbered may be unresolved. */
void window_begin_session(struct window *w);
/* Numbers the oldest closed batch that has no number. NULL: none, or too far ahead of the oldest unresolved.
 */
struct parcel *window_number(struct window *w);
/* A numbered, unresolved batch, or NULL. */
struct parcel *window_find(const struct window *w, uint64_t seq);
/* Walks the numbered, unresolved batches in order: *serial = 0 at first; NULL at the end. */
struct parcel *window_walk(const struct window *w, uint64_t *serial);

/* Tells the result of the numbered batches lo..hi that have none yet, batches with adjoining tickets as one
 * run, and lets go of them. Any lo and hi are allowed. Returns whether there were any. */
bool window_resolve(struct window *w, uint64_t lo, uint64_t hi, int error, window_result_fn fn, void *arg);

static inline bool window_in_flight(const struct window *w)
{
	return w->first < w->numbered;
}

static inline bool window_idle(const struct window *w)
{
	return w->taken == w->resolved;
}

#endif
