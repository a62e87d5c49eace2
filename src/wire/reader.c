/* SPDX-License-Identifier: MIT */
#include "wire/reader.h"

#include "kudos.h"

/* The first bytes of the msgpack formats that the protocol uses. */
enum {
	FIXARRAY = 0x90,
	FIXSTR = 0xa0,
	FALSE = 0xc2,
	TRUE = 0xc3,
	BIN8 = 0xc4,
	UINT8 = 0xcc,
	UINT64 = 0xcf,
	INT8 = 0xd0,
	INT64 = 0xd3,
	STR8 = 0xd9,
	ARRAY16 = 0xdc,
	NEGATIVE_FIXINT = 0xe0,
};

void reader_fail(struct reader *r, int error)
{
	if (!r->error)
		r->error = error;
	r->at = r->end;
}

int reader_finish(struct reader *r)
{
	if (r->at != r->end)
		reader_fail(r, KUDOS_PROTOCOL);
	return r->error;
}

/* A big-endian number of size bytes. */
static uint64_t take(struct reader *r, size_t size)
{
	if (size > reader_left(r)) {
		reader_fail(r, KUDOS_PROTOCOL);
		return 0;
	}
	uint64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | *r->at++;
	return value;
}

/* Where head stands in the run of formats first..last, whose sizes double: 1, 2, 4, 8 bytes; 0 outside. */
static size_t width(uint64_t head, uint64_t first, uint64_t last)
{
	return head >= first && head <= last ? (size_t)1 << (head - first) : 0;
}

/* Any integer as its two's complement bits. */
static uint64_t take_integer(struct reader *r, bool *negative)
{
	uint64_t head = take(r, 1);
	size_t size;
	*negative = false;
	if (head < 0x80)
		return head;
	if ((size = width(head, UINT8, UINT64)))
		return take(r, size);
	if (head >= NEGATIVE_FIXINT)
		size = 0;
	else if (!(size = width(head, INT8, INT64)))
		reader_fail(r, KUDOS_PROTOCOL);
	uint64_t value = size ? take(r, size) : head;
	if (r->error)
		return 0;
	uint64_t sign = UINT64_C(1) << (size ? 8 * size - 1 : 7);
	*negative = value & sign;
	return (value ^ sign) - sign;
}

uint64_t read_uint_wide(struct reader *r)
{
	bool negative;
	uint64_t bits = take_integer(r, &negative);
	if (!negative)
		return bits;
	reader_fail(r, KUDOS_PROTOCOL);
	return 0;
}

int64_t read_int_wide(struct reader *r)
{
	bool negative;
	uint64_t bits = take_integer(r, &negative);
	if (negative || bits <= INT64_MAX)
		return (int64_t)bits;
	reader_fail(r, KUDOS_PROTOCOL);
	return 0;
}

size_t read_array(struct reader *r, size_t limit)
{
	uint64_t head = take(r, 1);
	size_t size = width(head, ARRAY16, ARRAY16 + 1) * 2;
	uint64_t count = 0;
	if (size)
		count = take(r, size);
	else if ((head & 0xf0) == FIXARRAY)
		count = head & 0x0f;
	else
		reader_fail(r, KUDOS_PROTOCOL);
	if (count > reader_left(r)) /* an element takes a byte at least */
		reader_fail(r, KUDOS_PROTOCOL);
	else if (count > limit)
		reader_fail(r, KUDOS_LIMIT);
	return r->error ? 0 : (size_t)count;
}

void read_array_of(struct reader *r, size_t count)
{
	if (read_array(r, SIZE_MAX) != count)
		reader_fail(r, KUDOS_PROTOCOL);
}

/* The next size bytes where they lie; NULL when they are not there or an error stands. */
static const uint8_t *take_bytes(struct reader *r, uint64_t size)
{
	if (size > reader_left(r))
		reader_fail(r, KUDOS_PROTOCOL);
	if (r->error)
		return NULL;
	const uint8_t *data = r->at;
	r->at += size;
	return data;
}

struct text read_str(struct reader *r, size_t limit)
{
	uint64_t head = take(r, 1);
	size_t wide = width(head, STR8, STR8 + 2);
	uint64_t size = 0;
	if ((head & 0xe0) == FIXSTR)
		size = head & 0x1f;
	else if (wide)
		size = take(r, wide);
	else
		reader_fail(r, KUDOS_PROTOCOL);
	const uint8_t *data = take_bytes(r, size);
	if (data && size > limit) {
		reader_fail(r, KUDOS_LIMIT);
		data = NULL;
	}
	return (struct text){(const char *)data, data ? (size_t)size : 0};
}

struct blob read_bin(struct reader *r)
{
	size_t wide = width(take(r, 1), BIN8, BIN8 + 2);
	if (!wide)
		reader_fail(r, KUDOS_PROTOCOL);
	uint64_t size = take(r, wide);
	const uint8_t *data = take_bytes(r, size);
	return (struct blob){data, data ? (size_t)size : 0};
}

bool read_bool(struct reader *r)
{
	uint64_t head = take(r, 1);
	if (head != TRUE && head != FALSE)
		reader_fail(r, KUDOS_PROTOCOL);
	return head == TRUE;
}
