/* SPDX-License-Identifier: MIT */
/* Reads what a journal's files hold: a record, or all from the beginning. */
#ifndef STORE_READING_H
#define STORE_READING_H

#include "store/contents.h"

struct reading {
	int dir;
	const char *name; /* by reference; for the log */
	int fd;		  /* of the segment last read from, or -1 */
	uint64_t segment;
};

/* A whole segment, into out. */
int reading_segment(int dir, uint64_t number, struct bytes *out);
/* As journal_replay() of struct store_ops. */
int reading_replay(int dir, const struct contents *c, entry_fn fn, void *arg);
/* As journal_read(). One that was whole when it was noted and is not any more is forgotten: the caller
 * fetches it elsewhere, and may append it again. */
int reading_record(struct reading *r, struct contents *c, struct position at, struct bytes *out);
/* Closes the segment last read from, if its number is below that one. */
void reading_end(struct reading *r, uint64_t below);

#endif
