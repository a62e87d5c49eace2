/* SPDX-License-Identifier: MIT */
/* A batch message made in place, event by event, while it gathers: no list of events, no copy, no allocation.
 * The bytes from the header's second 94 on are those of message_make_batch() for the same content.
 *
 *   ┌ header: 94 a5 "batch" signer code 94 issuer number seq array ┐┌ event: key n ┐┌ event …
 *    known, and written, only when the batch is numbered
 */
#ifndef WIRE_BATCH_BUILDER_H
#define WIRE_BATCH_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"

#define BATCH_EVENT_MAX (2 + LIMIT_KEY + 5)
#define BATCH_HEADER_MAX 56

/* Writes an event (a key and an amount that were checked) to out; returns its size. */
size_t batch_event_encode(uint8_t out[BATCH_EVENT_MAX], const char *key, size_t key_size, int32_t n);
/* Writes the header of a batch of so many events to out; returns its size. */
size_t batch_header_encode(uint8_t out[BATCH_HEADER_MAX], struct session session, struct proof proof,
			   uint64_t seq, size_t events);

#endif
