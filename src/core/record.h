/* SPDX-License-Identifier: MIT */
/* Events, batches and records: what is sent, logged and applied (doc/architecture.md, "Words").
 *
 *   record  (origin, lsn) ── batch (session, seq) ── event (key, n)
 *                         ├─ batch …              └─ event …
 *                         ├─ batch with seq 0: the session's close, no events
 *                         └─ batch with SEQ_LAPSE: of its issuer's sessions up to its own those that were
 * never used are closed, no events
 *
 * Both are reference-counted and never change once made; the wire layer makes them from bytes. */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

#define SEQ_LAPSE UINT64_MAX

struct event {
	const char *key; /* key_size bytes, not NUL-terminated, within the owner's raw bytes */
	int32_t n;
	uint8_t key_size;
};

struct batch {
	struct session session;
	uint64_t seq;		    /* from 1; 0: the session's close; SEQ_LAPSE */
	const struct event *events; /* event_count of them */
	size_t event_count;
	const uint8_t *raw; /* the encoded batch, as the client sent it and as records carry it */
	size_t raw_size;
};

/* A batch on its own, as a client sent it. One heap block; events and raw lie behind it. */
struct batch_box {
	unsigned refs;
	struct batch batch;
};

struct batch_box *batch_box_ref(struct batch_box *box);
void batch_box_unref(struct batch_box *box); /* takes NULL */

struct record {
	unsigned refs;
	struct position at;
	struct batch *batches; /* batch_count of them, owned */
	size_t batch_count;
	uint8_t *raw; /* the encoded record, owned: journal, publish and repair all send these bytes */
	size_t raw_size;
	struct event *events; /* owned; NULL when boxes own them */
	/* The boxes that batches point into, for a record made here; owned references, batch_count of them,
	 * or NULL. */
	struct batch_box **boxes;
};

struct record *record_ref(struct record *r);
void record_unref(struct record *r); /* takes NULL */

/* A record of clients' batches with refs 1, taking a new reference to each box; raw is left empty for the
 * wire layer to fill in. NULL: out of memory. */
struct record *record_new(struct position at, struct batch_box *const *boxes, size_t count);

#endif
