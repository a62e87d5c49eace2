/* SPDX-License-Identifier: MIT */
/* The bytes of a record as a message of the stream carries them (doc/stream.md): large ones packed, since
 * each is sent to, written by and kept at all of the stream's replicas. */
#ifndef STORE_NATS_BODY_H
#define STORE_NATS_BODY_H

#include <nats/nats.h>

#include "base/bytes.h"

/* A message with such a body and, when it is packed, the header that says so. */
natsStatus nats_body_make(natsMsg **m, const char *subject, const char *reply, const void *data, size_t size);
/* What was put in: in the message itself, or in unpacked. False: it is none of ours; or, when unpacked has
 * failed, that cannot be told. */
bool nats_body_read(natsMsg *m, struct bytes *unpacked, const uint8_t **data, size_t *size);

#endif
