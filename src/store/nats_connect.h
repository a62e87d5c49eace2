/* SPDX-License-Identifier: MIT */
/* How whoever uses a stream reaches its servers. */
#ifndef STORE_NATS_CONNECT_H
#define STORE_NATS_CONNECT_H

#include <nats/nats.h>

#include "store/nats_names.h"

/* Options for a connection of `program` to the servers; creds, ca: as in nats_open.h, or NULL. The caller
 * destroys them, also when it fails. */
natsStatus nats_connect_options(natsOptions **options, const struct nats_names *names, const char *program,
				const char *creds, const char *ca);

/* The last error's text, or the status's. */
const char *nats_connect_error(natsStatus s);

#endif
