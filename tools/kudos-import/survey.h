/* SPDX-License-Identifier: MIT */
/* A look at the whole file before anything is sent, and what is told of it. */
#ifndef IMPORT_SURVEY_H
#define IMPORT_SURVEY_H

#include "batches.h"
#include "input.h"
#include "options.h"
#include "state.h"

struct survey {
	struct making making;
	uint64_t rows, skipped, events, batches;
	int64_t likes;
};

/* Reads all of it. 0, or the exit status, when it has been said why. */
int survey_take(struct survey *survey, struct input *in, const struct options *options);

/* Lines of the file that batches first..last are made of. 0, or a negative errno. */
int survey_lines(struct input *in, const struct options *options, uint64_t first, uint64_t last,
		 uint64_t lines[2]);

#endif
