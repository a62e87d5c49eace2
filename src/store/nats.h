/* SPDX-License-Identifier: MIT */
/* Between nats_open.c, which connects, and nats.c, which writes and reads. */
#ifndef STORE_NATS_H
#define STORE_NATS_H

#include "store/nats_connect.h"
#include "store/stream.h"

/* Takes over the link's connection when it succeeds. */
int nats_start(struct stream **stream, const struct nats_link *link);

#endif
