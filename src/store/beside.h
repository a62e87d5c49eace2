/* SPDX-License-Identifier: MIT */
/* Reading a data folder from another process, while a server may be using it. Nothing of it is changed, its
 * lock is not asked for, and the server does not wait.
 *
 * The checkpoint is LMDB's, which is made for that: a cursor of checkpoint_open_beside() is one consistent
 * cut, and pages that it may still read are not used again meanwhile; of who is killed at it, the next
 * checkpoint frees them. Of the journal there is what is whole on disk when it is read: the newest file is
 * flushed before anything of it is told, and what the server removes meanwhile is passed over. */
#ifndef STORE_BESIDE_H
#define STORE_BESIDE_H

#include "store/checkpoint.h"

struct beside_report {
	uint64_t records;
	uint64_t damaged_bytes; /* passed over; records in them are missing */
};

/* Calls fn for each record that is held, once, oldest first, until it answers other than 0, which is
 * returned. error is told a text when reading fails. */
int beside_records(const char *dir, entry_fn fn, void *arg, struct beside_report *report, char *error,
		   size_t error_size);

#endif
