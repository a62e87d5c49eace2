/* SPDX-License-Identifier: MIT */
/* The marks of a segment file (their bytes: store/segment.h), one at its front, and at its end the proof that
 * all before it was once on disk. All return 0 or a negative errno. */
#ifndef STORE_MARK_H
#define STORE_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "core/vector.h"
#include "store/segment.h"

/* Appends the mark that begins segment `number`; told: the last record of each origin in the one before. */
int mark_front(struct bytes *out, uint64_t number, const struct vector *told);
/* Enters when the file was made into the mark at the beginning of `front`. */
void mark_born(struct bytes *front, uint64_t birth);
/* Whether the segment's file was made at another time than its mark says: it is a copy then. What the mark or
 * the file system does not know leaves *copied as it is: the newest segment that tells counts. */
void mark_check_birth(int dir, uint64_t number, uint64_t birth, bool *copied);

/* Whether it is the meta from before, which stands in front of a segment's first commit. */
bool mark_repeats(const struct segment_head *head, const uint8_t *data, const struct bytes *meta);

/* Writes the end's marks behind the entries, which end there. A full disk is no error: there is none then. */
int mark_end(int fd, uint64_t number, uint64_t end, const struct vector *told);

/* Makes the newest segment what the scan made of it, for good: what is behind its last entry can never come
 * back to life, and what is in it is on disk. The last commit may have got no further than the page
 * cache, or fdatasync may have failed and left it there as if written; so it is written again. */
int mark_settle(int dir, const struct segment_scan *scan, const struct vector *told);

#endif
