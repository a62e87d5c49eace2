/* SPDX-License-Identifier: MIT */
/* A stream in NATS JetStream (doc/stream.md): the records of each run are on a subject of their own, in
 * order. */
#ifndef STORE_NATS_OPEN_H
#define STORE_NATS_OPEN_H

#include "store/nats_names.h"
#include "store/stream.h"

#define NATS_IDENTITY "stream" /* a file of the data folder: which stream its records are in */

struct nats_options {
	const struct nats_names *names; /* all by reference, while the stream is open */
	const char *creds, *ca;		/* as in struct nats_access */
	const char *dir;		/* where to keep which stream it is; NULL: nothing is kept */
};

/* Makes the stream where there is none, waits for the servers for a while. Fails with -ENOSYS in a build
 * without libnats. error receives a text that says what to do. */
int nats_open(struct stream **stream, const struct nats_options *o, char *error, size_t error_size);

#endif
