/* SPDX-License-Identifier: MIT */
/* Batches and records, which every like takes, to and from bytes. Errors are those of wire/message.h. */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "core/record.h"

/* A batch message ["batch", signer, code, [issuer, number, seq, [key, n, …]]]: events are checked
 * (KUDOS_BAD_KEY, KUDOS_BAD_AMOUNT, KUDOS_LIMIT, KUDOS_TOO_LARGE, KUDOS_PROTOCOL); the box holds a copy of
 * the bytes. A seq of 0 or a batch without events is KUDOS_PROTOCOL here. When an error is returned and the
 * identity could be read, *session and *seq hold it, else zeros; *proof likewise. Any of the three may be
 * NULL. */
int message_decode_batch(const void *data, size_t size, struct batch_box **box, struct session *session,
			 uint64_t *seq, struct proof *proof);

/* Builds a batch box (as message_decode_batch() would give) from its parts; events NULL and count 0 with seq
 * 0 make a session's close. NULL: out of memory. Input is trusted. */
struct batch_box *message_make_batch(struct session session, uint64_t seq, const struct event *events,
				     size_t count);

/* A record message ["record", origin, lsn, [batch, …]], as published, logged and fetched. Decoding gives refs
 * 1 and copies the bytes. 0, KUDOS_* as above, or -ENOMEM. */
int message_decode_record(const void *data, size_t size, struct record **record);
/* Fills record->raw from its batches' raw bytes. 0 or -ENOMEM. */
int message_encode_record(struct record *record);

#endif
