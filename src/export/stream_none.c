/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "export/stream.h"

int export_stream(const struct options *options, struct output *out, char *error, size_t error_size)
{
	(void)options;
	(void)out;
	snprintf(error, error_size, "--journal: this kudos-export was built without libnats or libzstd");
	return -ENOSYS;
}
