/* SPDX-License-Identifier: MIT */
/* The journal on disk: segment files (store/segment.h) in arrival order, an index of them in memory.
 *
 *   journal-0000000000000007.log   oldest; dropped whole when its records are no longer needed
 *   journal-0000000000000008.log
 *   journal-0000000000000009.log   active: preallocated, one write and one fdatasync a commit
 *   spare                          the next one, made while the second half of that is filled
 *
 * Each start and each full file begins a new segment, with a copy of the newest meta at its front, so
 * that old segments can go without a thought for it, and so that nothing is ever written behind
 * a cut tail. It also tells which record of each origin was the last in the segment before it, as commits do
 * of earlier ones (store/echo.h): damage to those leaves no gap in the numbers. Functions are those of struct
 * store_ops. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/store.h"

struct journal;

/* dir is open and locked by the caller, who keeps it open; name is its path, for texts. Fills in report.
 * -EPROTONOSUPPORT: written by a later version. error receives a text when it fails. */
int journal_open(struct journal **journal, int dir, const char *name, size_t segment_size,
		 struct store_report *report, char *error, size_t error_size);
void journal_close(struct journal *j); /* takes NULL; what was not committed is gone */

int journal_append(struct journal *j, enum entry_kind kind, struct position at, const void *data,
		   size_t size);
int journal_commit(struct journal *j);
int journal_meta(const struct journal *j, struct bytes *out);
int journal_replay(struct journal *j, entry_fn fn, void *arg);
int journal_read(struct journal *j, struct position at, struct bytes *out);
uint64_t journal_lowest(const struct journal *j, struct origin o);
int journal_truncate(struct journal *j, const struct vector *floor);
int journal_clear(struct journal *j);
uint64_t journal_bytes(const struct journal *j);

#endif
