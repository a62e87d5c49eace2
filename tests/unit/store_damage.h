/* SPDX-License-Identifier: MIT */
/* Damage to a record in a segment file. */
#ifndef TESTS_STORE_DAMAGE_H
#define TESTS_STORE_DAMAGE_H

#include "store/segment.h"
#include "unit/store_folder.h"

/* Where the entry of the record lies in a segment file's bytes, and how long it is. */
static inline size_t find_record(const uint8_t *data, size_t size, unsigned segment, struct position p,
				 size_t *length)
{
	for (size_t i = 0; i + SEGMENT_HEADER <= size; i += 8) {
		struct segment_head head;
		if (segment_read_head(data + i, segment, i, &head) && head.kind == ENTRY_RECORD &&
		    origin_equal(head.at.origin, p.origin) && head.at.lsn == p.lsn) {
			*length = segment_entry_size(head.size);
			return i;
		}
	}
	cr_assert_fail("%lu:%lu is not there", p.origin.id, p.lsn);
	return 0;
}

/* Flips a bit of the record's entry in the file. */
static inline void spoil(const struct folder *f, unsigned segment, struct position p)
{
	char path[400];
	size_t size, length;
	segment_path(f, segment, path);
	uint8_t *data = file_read(path, &size);
	data[find_record(data, size, segment, p, &length) + 21] ^= 4;
	file_write(path, data, size);
	free(data);
}

#endif
