/* SPDX-License-Identifier: MIT */
/* A record as a message of the stream (doc/stream.md), and what JetStream answers to one. */
#ifndef STORE_NATS_MESSAGE_H
#define STORE_NATS_MESSAGE_H

#include <nats/nats.h>

#include "base/bytes.h"
#include "store/nats_names.h"
#include "store/stream.h"

/* A message that is taken only behind the one with the sequence last (0: none) on its subject. */
natsStatus nats_message_make(natsMsg **m, const struct nats_names *names, const struct told_entry *record,
			     uint64_t last, const char *reply);
/* What a message of the stream says of itself, its origin excepted; its data as long as m and unpacked are
 * there. unpacked NULL: without its data. False: it is not one of ours; or, when unpacked has failed, that
 * cannot be told. */
bool nats_message_read(natsMsg *m, struct told_entry *told, struct bytes *unpacked);
/* The sequence that a record was given; 0: it was refused, or that cannot be told. */
uint64_t nats_message_stored(const char *answer, size_t size);

#endif
