/* SPDX-License-Identifier: MIT */
/* All records of a stream in NATS JetStream (doc/stream.md), in the order in which it took them. */
#ifndef EXPORT_STREAM_H
#define EXPORT_STREAM_H

#include "export/options.h"
#include "export/output.h"

/* Up to the last one that was there when it began. As export_counts(); -ENOSYS in a build without libnats. */
int export_stream(const struct options *options, struct output *out, char *error, size_t error_size);

#endif
