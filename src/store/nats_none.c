/* SPDX-License-Identifier: MIT */
/* Instead of nats.c and nats_open.c, in a build without libnats or libzstd. */
#include <errno.h>
#include <stdio.h>

#include "store/nats_open.h"

int nats_open(struct stream **stream, const struct nats_options *o, char *error, size_t error_size)
{
	*stream = NULL;
	snprintf(error, error_size,
		 "this kudos-server was built without libnats and has no stream %s: install libnats-dev and "
		 "libzstd-dev, and build again",
		 o->names->stream);
	return -ENOSYS;
}
