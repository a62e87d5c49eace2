/* SPDX-License-Identifier: MIT */
/* Between nats_open.c, which connects, and nats.c, which writes and reads. */
#ifndef STORE_NATS_H
#define STORE_NATS_H

#include <nats/nats.h>

#include "store/nats_names.h"
#include "store/stream.h"

/* Takes over the connection and js when it succeeds. */
int nats_start(struct stream **stream, natsConnection *connection, jsCtx *js, const struct nats_names *names);

#endif
