/* SPDX-License-Identifier: MIT */
/* The message that libkudos would send for a batch, its events at hand. */
#ifndef TESTS_BATCH_MESSAGE_H
#define TESTS_BATCH_MESSAGE_H

#include "base/bytes.h"
#include "core/record.h"
#include "wire/batch_builder.h"

static inline struct bytes batch_message(struct session session, struct proof proof, uint64_t seq,
					 const struct event *events, size_t count)
{
	struct bytes out = {0};
	uint8_t part[BATCH_EVENT_MAX > BATCH_HEADER_MAX ? BATCH_EVENT_MAX : BATCH_HEADER_MAX];
	bytes_append(&out, part, batch_header_encode(part, session, proof, seq, count));
	for (size_t i = 0; i < count; i++)
		bytes_append(&out, part,
			     batch_event_encode(part, events[i].key, events[i].key_size, events[i].n));
	return out;
}

#endif
