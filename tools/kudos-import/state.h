/* SPDX-License-Identifier: MIT */
/* How far an import is, in a file beside what is imported:
 *
 *	kudos-import 1              the format, and that of the batches
 *	session NAME                the session whose batches are counted; whoever knows it can send in it
 *	input SIZE HASH             what is imported
 *	columns K C HEADER SKIP     where key and count are, from 1; the first row is a header; bad rows are
 *skipped batches N                   all of it sent S                      none above has ever been sent
 *	acknowledged A              all up to here are counted
 *
 * The file is replaced as a whole and durably, and S before what it is about: after a kill batches up to A
 *are counted, those in (A, S] perhaps, none above. Once A is N there is nothing left to do. It is locked
 *while it is open, so that nobody else is at the same import. */
#ifndef IMPORT_STATE_H
#define IMPORT_STATE_H

#include <kudos.h>
#include <stdbool.h>
#include <stdint.h>

#include "input.h"

#define IMPORT_FORMAT 1

/* What makes the batches, with the file's bytes. */
struct making {
	struct identity input;
	uint64_t key_column, count_column;
	bool header, skip_bad;
};

struct state {
	char session[KUDOS_SESSION_SIZE];
	struct making making;
	uint64_t batches, sent, acknowledged;
};

struct state_file {
	char *path, *next; /* owned; what replaces it is written as `next` */
	int fd;		   /* the lock */
};

/* Opens and locks it, making an empty one when it is missing, and reads it. 1: *state is there; 0: it is
 * empty; or a negative errno with why told. To be closed all the same. */
int state_open(struct state_file *file, const char *path, struct state *state, char *why, size_t why_size);
/* Once there is nothing in it, it goes. */
void state_close(struct state_file *file);
/* 0, or a negative errno: then the import must not go on. */
int state_save(struct state_file *file, const struct state *state);

#endif
