/* SPDX-License-Identifier: MIT */
/* Text as a file that is read in pieces of one size. */
#ifndef TESTS_CSV_SOURCE_H
#define TESTS_CSV_SOURCE_H

#include <string.h>
#include <sys/types.h>

struct csv_source {
	const char *text;
	size_t size, at, piece;
};

static inline ssize_t csv_source_read(void *arg, void *data, size_t room)
{
	struct csv_source *s = arg;
	size_t n = s->size - s->at;
	n = n < room ? n : room;
	n = n < s->piece ? n : s->piece;
	memcpy(data, s->text + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

#endif
