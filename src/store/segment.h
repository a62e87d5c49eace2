/* SPDX-License-Identifier: MIT */
/* One file of the journal, as bytes. Everything is little-endian; entries follow each other without gap, each
 * padded with zeros to a multiple of 8, and zeros up to the end of the preallocated file:
 *
 *    0        4        8        12       16               24               32               40
 *   ┌────────┬────────┬────────┬────────┬────────────────┬────────────────┬────────────────┬──────┬─────┐
 *   │ head   │ size   │ group  │ kind   │ origin         │ lsn            │ check          │ data │ 0…  │
 *   └────────┴────────┴────────┴────────┴────────────────┴────────────────┴────────────────┴──────┴─────┘
 *
 *   h      XXH3-64 of bytes 4–31, seeded with the segment's number and the entry's offset in the file
 *   head   the low 32 bits of h: finds the next entry behind damage without reading its data
 *   check  XXH3-64 of the data, seeded with h
 *   group  where in the file the commit that wrote this entry began
 *
 * The seed means that bytes left over from another file or another place never pass for an entry. An entry of
 * kind SEGMENT_MARK stands at the front of each file, and at the end of one that was closed in order or that
 * opening has settled: its origin field holds SEGMENT_FORMAT, its lsn the segment's number. Its data, and
 * those of an entry of kind SEGMENT_ECHO, tell how far the journal had come with some origins before it:
 *
 *   mark   [when the file was made 8] [n 8] [origin 8, lsn 8] × n [0…]   at the front: of the file before
 *                                                                        this one; at the end: of this one
 *   echo                              [origin 8, lsn 8] …                of earlier commits (store/echo.h)
 *
 * Format 1 had neither: its marks have no data. It is read.
 *
 * Torn or damaged? A commit starts writing only when the one before it is on disk. So a hole followed by an
 * entry of a later group, or by a later file, was whole once: damage. A hole without either lies in
 * the last commit, which nobody was told of: it and what follows is cut. What damage took is seen by the
 * next record of its origin, or where it was the last one, by what a mark or an echo tells. */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "store/store.h"

#define SEGMENT_HEADER 40
#define SEGMENT_MARK ((enum entry_kind)3)
#define SEGMENT_ECHO ((enum entry_kind)4)
#define SEGMENT_FORMAT UINT64_C(0x024a534f44554b01) /* "\1KUDOSJ" and the version, 2 */
#define SEGMENT_FORMAT_1 UINT64_C(0x014a534f44554b01)
#define SEGMENT_MARK_DATA 16	/* bytes of a mark's data before its positions */
#define SEGMENT_MOST UINT32_MAX /* no file is longer: offsets are 32 bits */

struct segment_head {
	uint64_t h;
	uint64_t check;
	struct position at;
	uint32_t size;
	uint32_t group;
	enum entry_kind kind;
};

#define SEGMENT_NAME_FORMAT "journal-%016" PRIx64 ".log"
#define SEGMENT_NAME sizeof "journal-0123456789abcdef.log"

void segment_name(char name[SEGMENT_NAME], uint64_t number);
bool segment_is_name(const char *name, uint64_t *number); /* not of somebody's copy */
size_t segment_entry_size(size_t data_size);		  /* with header and padding */

/* Appends an entry that still lacks its place; failure shows in out. size < 2^30. */
void segment_encode(struct bytes *out, enum entry_kind kind, struct position at, const void *data,
		    size_t size);
/* Gives the entries in bytes, made by segment_encode, their place: at `offset` of the segment, in a group
 * that began at `group`. */
void segment_seal(struct bytes *entries, uint64_t segment, uint64_t offset, uint64_t group);

/* Whether encoded entries (struct bytes) hold a record of the origin. Only the first LOOKED_THROUGH are
 * looked at. */
bool segment_has_origin(const void *entries, struct origin origin);
/* Where the positions in the entry's data begin, *count of them; NULL: it has none. */
const uint8_t *segment_positions(const struct segment_head *head, const uint8_t *data, size_t *count);
/* When the file was made, as the mark at its front says; 0: not known. */
uint64_t segment_birth(const struct segment_head *head, const uint8_t *data);

/* Whether a whole header for this place is at bytes (SEGMENT_HEADER of them), and what it says. */
bool segment_read_head(const uint8_t *bytes, uint64_t segment, uint64_t offset, struct segment_head *head);
bool segment_check_data(const struct segment_head *head, const uint8_t *data);

struct segment_scan {
	const uint8_t *bytes; /* the file's content */
	size_t size;
	uint64_t segment;
	bool last; /* there is no later file */

	/* A non-zero answer of either ends the scan, which returns it. */
	int (*found)(void *arg, const struct segment_head *head, size_t offset, const uint8_t *data);
	int (*damaged)(void *arg, size_t offset, size_t size); /* may be NULL */
	void *arg;

	size_t end;   /* out: behind the last entry found */
	size_t group; /* out: where that entry's group begins */
	bool marked;  /* out: that entry is a mark */
	size_t torn;  /* out: bytes after that which are not zero-filled space */
};
int segment_scan(struct segment_scan *s);

#endif
