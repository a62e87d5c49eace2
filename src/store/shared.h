/* SPDX-License-Identifier: MIT */
/* A store whose records are in a stream: this run's own are written there, others' have been. Everything else
 * is in an inner store: the meta blob, the checkpoint, and records of servers that do not write to the
 * stream.
 *
 * Records written to the stream, here or by others, are kept at hand in memory, the newest ones: for peers
 * that ask, and for the adoption of a snapshot. */
#ifndef STORE_SHARED_H
#define STORE_SHARED_H

#include "store/store.h"
#include "store/stream.h"

/* Takes over inner and stream, also when it fails. at_hand: bytes of records kept in memory. */
int shared_open(struct store **store, struct store *inner, struct stream *stream, size_t at_hand);

#endif
