/* SPDX-License-Identifier: MIT */
/* How whoever uses a stream reaches its servers. */
#ifndef STORE_NATS_CONNECT_H
#define STORE_NATS_CONNECT_H

#include <nats/nats.h>

#include "store/nats_names.h"

struct nats_access { /* all by reference */
	const struct nats_names *names;
	const char *creds; /* file with the user's credentials; NULL: none */
	const char *ca; /* file with the authorities that sign its servers' certificates; NULL: without TLS */
};

/* Options for a connection of `program`. The caller destroys them, also when it fails. */
natsStatus nats_connect_options(natsOptions **options, const struct nats_access *access, const char *program);

/* The last error's text, or the status's. */
const char *nats_connect_error(natsStatus s);

/* A connection of one thread that waits for its answers. libnats mends what is broken; but a server that is
 * cut off from the others still lets one connect and answers nothing: so after some questions without an
 * answer another server is tried. */
struct nats_link {
	struct nats_access access;
	natsConnection *connection; /* owned, as js is; NULL: none */
	jsCtx *js;
	int missed;
};

/* A first connection, or another one; the old one stays when that fails. May take a second a server. */
natsStatus nats_link_open(struct nats_link *l);
void nats_link_answered(struct nats_link *l, natsStatus s); /* what has come of a question */
void nats_link_close(struct nats_link *l);

#endif
