/* SPDX-License-Identifier: MIT */
/* The counts of a checkpoint, in the order in which their keys were first liked there. */
#ifndef EXPORT_COUNTS_H
#define EXPORT_COUNTS_H

#include "export/options.h"
#include "export/output.h"

/* *likes: their sum. 0, or a negative errno, with error told unless it came from out. */
int export_counts(const struct options *options, struct output *out, int64_t *likes, char *error,
		  size_t error_size);

#endif
