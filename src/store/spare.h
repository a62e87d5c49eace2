/* SPDX-License-Identifier: MIT */
/* The journal's next segment, made ahead and aside: finding room for 64 MiB takes some file systems tens of
 * milliseconds, and what a new file is on disk several, in which no like should wait. One at a time; all
 * functions are for the journal's thread. */
#ifndef STORE_SPARE_H
#define STORE_SPARE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SPARE_NAME "spare" /* of the file, until it is taken */

struct spare {
	pthread_t thread;
	bool begun;
	int dir;
	uint64_t size;
	int fd; /* or what went wrong */
};

/* Begins to make one of so many bytes in the folder, unless that has begun. Where it cannot be made there is
 * none. */
void spare_begin(struct spare *s, int dir, uint64_t size);
/* Gives the file that name, durably: its descriptor. -ENOENT: there is none of so many bytes. Waits for one
 * that is being made, which takes no longer than to make another. */
int spare_take(struct spare *s, const char *name, uint64_t size);
/* Removes it; and what a killed process left in the folder. */
void spare_end(struct spare *s, int dir);

#endif
