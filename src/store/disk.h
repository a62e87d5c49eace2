/* SPDX-License-Identifier: MIT */
/* The store in a folder:
 *
 *   lock              held while the folder is in use
 *   journal-*.log     store/journal.h
 *   checkpoint.mdb    store/checkpoint.h (and LMDB's own checkpoint.mdb-lock) */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "store/store.h"

struct disk_sizes {	/* for tests */
	size_t segment; /* of a journal file, unless one commit is larger */
	size_t map;	/* the most that the checkpoint can be */
};

/* In folder dir, made when missing. sizes: NULL for the usual ones. Fails with -EWOULDBLOCK when another
 * process has it open. error (may be NULL) receives a one-line text naming the file and what to do. */
int disk_open(struct store **store, const char *dir, const struct disk_sizes *sizes, char *error,
	      size_t error_size);

#endif
