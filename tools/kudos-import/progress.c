/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static time_t seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

struct progress progress_new(const char *done, uint64_t of)
{
	return (struct progress){
	    .done = done, .of = of, .terminal = isatty(STDERR_FILENO) == 1, .last = seconds()};
}

void progress_show(struct progress *p, uint64_t rows)
{
	if (!p->terminal || p->last == seconds())
		return;
	p->last = seconds();
	p->shown = true;
	fprintf(stderr, "\r%s %" PRIu64, p->done, rows);
	if (p->of > 0)
		fprintf(stderr, " of %" PRIu64 " rows (%d %%)\033[K", p->of,
			(int)(100 * (double)rows / (double)p->of));
	else
		fputs(" rows\033[K", stderr);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
