/* SPDX-License-Identifier: MIT */
/* Batches and records whose content follows from their identity, with few sessions, numbers and keys, so that
 * the same ones meet often. */
#ifndef FUZZ_BATCHES_H
#define FUZZ_BATCHES_H

#include <string.h>

#include "fuzz/input.h"
#include "wire/message.h"

enum { SESSIONS = 4, SEQS = 32, KEYS = 4, ISSUER = 5 };

static const char *const batch_keys[KEYS] = {"a", "b", "c", "likes"};

/* Other content under the same number when odd. */
static inline struct batch_box *make_batch(uint64_t number, uint64_t seq, bool odd)
{
	struct event events[3];
	size_t count = seq && seq != SEQ_LAPSE ? 1 + seq % 3 : 0;
	for (size_t i = 0; i < count; i++) {
		const char *key = batch_keys[(number + seq + i) % KEYS];
		events[i] =
		    (struct event){key, (int32_t)(seq * 7 + number) - 40 - 100 * odd, (uint8_t)strlen(key)};
		if (events[i].n == 0)
			events[i].n = 1;
	}
	struct batch_box *box = message_make_batch((struct session){ISSUER, number}, seq, events, count);
	must(box);
	return box;
}

static inline struct record *make_record(struct position at)
{
	struct batch_box *boxes[3];
	size_t count = 1 + at.lsn % 3;
	for (size_t i = 0; i < count; i++) {
		uint64_t mix = at.lsn * 5 + at.origin.id + 11 * i;
		uint64_t seq = at.lsn % 13 == 0 ? 0 : at.lsn % 17 == 0 ? SEQ_LAPSE : 1 + mix / 3 % (SEQS - 1);
		boxes[i] = make_batch(1 + mix % SESSIONS, seq, false);
	}
	struct record *record = record_new(at, boxes, count);
	must(record && message_encode_record(record) == 0);
	for (size_t i = 0; i < count; i++)
		batch_box_unref(boxes[i]);
	return record;
}

#endif
