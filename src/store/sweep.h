/* SPDX-License-Identifier: MIT */
/* Removing segments aside: giving back the 64 MiB of one takes a file system tens of milliseconds, in which
 * no like should wait. One removal at a time; begin and end are for the journal's thread. */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sweep {
	pthread_t thread;
	bool begun;
	atomic_bool working;
	int dir;
	uint64_t first, last;
	int result;
};

bool sweep_works(const struct sweep *s);
/* Waits until nothing is being removed; 0 or what went wrong. To be called before the next begins, too. */
int sweep_end(struct sweep *s);
/* Removes the segments numbered first to last, oldest first, from the folder, and makes that durable. */
void sweep_begin(struct sweep *s, int dir, uint64_t first, uint64_t last);

#endif
