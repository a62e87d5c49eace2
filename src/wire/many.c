/* SPDX-License-Identifier: MIT */
#include "wire/many.h"

#include <string.h>

#include "base/limits.h"
#include "wire/writer.h"

#define HEADROOM 16 /* [type, [ with a count up to LIMIT_MANY */
#define ROOM 65536  /* bytes beside others: as a batch may have, so that a queue of messages is no longer */

static const uint8_t start[] = {0x92, 0xa4, 'm', 'a', 'n', 'y'};

_Static_assert(sizeof start + 3 <= HEADROOM && LIMIT_MANY <= UINT16_MAX, "it stands before the list");

void many_deinit(struct many *m)
{
	bytes_deinit(&m->encoded);
	*m = (struct many){0};
}

bool many_add(struct many *m, const void *data, size_t size)
{
	const size_t before = m->encoded.size;
	if (m->count == 0) {
		bytes_clear(&m->encoded);
		bytes_extend(&m->encoded, HEADROOM);
	} else if (m->count == LIMIT_MANY || before + size > ROOM) {
		return false;
	}
	struct writer w = writer_to(&m->encoded);
	write_bin(&w, data, size);
	if (bytes_failed(&m->encoded)) { /* what was there is whole */
		m->encoded.failed = false;
		m->encoded.size = before;
		return false;
	}
	if (m->count++ == 0)
		m->first = m->encoded.size - size;
	return true;
}

static uint8_t *before_list(struct many *m)
{
	const size_t count_size = m->count < 16 ? 1 : 3;
	uint8_t *count = m->encoded.data + HEADROOM - count_size;
	count[0] = m->count < 16 ? (uint8_t)(0x90 | m->count) : 0xdc;
	if (count_size == 3) {
		count[1] = (uint8_t)(m->count >> 8);
		count[2] = (uint8_t)m->count;
	}
	return memcpy(count - sizeof start, start, sizeof start);
}

bool many_take(struct many *m, const uint8_t **data, size_t *size)
{
	if (m->count == 0)
		return false;
	*data = m->count == 1 ? m->encoded.data + m->first : before_list(m);
	*size = (size_t)(m->encoded.data + m->encoded.size - *data);
	m->count = 0;
	return true;
}
