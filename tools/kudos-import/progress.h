/* SPDX-License-Identifier: MIT */
/* A line on the terminal, if stderr is one, that changes once a second. */
#ifndef IMPORT_PROGRESS_H
#define IMPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct progress {
	const char *done; /* "imported" */
	uint64_t of;	  /* 0: not known */
	bool terminal, shown;
	time_t last;
};

struct progress progress_new(const char *done, uint64_t of);
void progress_show(struct progress *p, uint64_t rows);
void progress_end(struct progress *p); /* the line goes */

#endif
