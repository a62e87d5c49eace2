/* SPDX-License-Identifier: MIT */
/* Removing segments aside and in pieces: giving back the 64 MiB of one at once takes a file system tens of
 * milliseconds, and where it tells the disk what is free (the mount option discard) nobody can write to that
 * disk meanwhile. One removal at a time; begin and end are for the journal's thread. */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sweep {
	pthread_t thread;
	bool begun;
	atomic_bool working, hurry; /* hurry: somebody waits, so all at once */
	int dir;
	uint64_t first, last;
	int result;
};

bool sweep_works(const struct sweep *s);
/* Waits until nothing is being removed; 0 or what went wrong. To be called before the next begins, too. */
int sweep_end(struct sweep *s);
/* Removes the segments numbered first to last, oldest first, from the folder, each durably. */
void sweep_begin(struct sweep *s, int dir, uint64_t first, uint64_t last);

#endif
