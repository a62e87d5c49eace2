/* SPDX-License-Identifier: MIT */
/* Clients' batches and the group commit: what has gathered while the last group was on its way to disk
 * becomes the next.
 *
 * A group is: first this server's own record(s) with all pending batches, then peers' records, in journal
 * order. The own record goes first so that a session's close in the same group is applied after it: a vector
 * that shows the close as applied shows every batch of that session accepted here, too (what I8 rests on). */
#ifndef CORE_COMMIT_H
#define CORE_COMMIT_H

#include "core/replica.h"

/* From clients. The box is borrowed. client names the connection; it comes back in the actions. */
int replica_batch(struct replica *r, int64_t now, uint64_t client, struct batch_box *box);
/* Whether a batch was counted, from who does not send it again: an acknowledgement, as it would get for that,
 * or a refusal (NOT_COUNTED: not here, or not yet). Changes nothing. */
int replica_seen(struct replica *r, uint64_t client, struct session session, uint64_t seq);
/* close: a box with seq 0 (message_make_batch). */
int replica_close(struct replica *r, int64_t now, uint64_t client, struct batch_box *box);
/* A box with SEQ_LAPSE. */
int replica_lapse(struct replica *r, struct batch_box *box);

/* Begins a group commit of what has gathered, unless one is on its way. */
int replica_flush(struct replica *r);
/* When that is worth it, for what has gathered so far; 0: at once; NEVER: there is nothing. looked_at:
 * somebody waits here to see what peers send. */
int64_t replica_flush_at(const struct replica *r, bool looked_at);
/* The group is durable: apply, publish, acknowledge. */
int replica_committed(struct replica *r, int64_t now);

/* Within the core only. */
int replica_acknowledge(struct replica *r);

#endif
