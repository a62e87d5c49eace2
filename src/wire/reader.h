/* SPDX-License-Identifier: MIT */
/* A bounded cursor over msgpack bytes that anyone may have written. The first error sticks and moves the
 * cursor to the end, so that a chain of reads needs one check after it; a failed read gives zero or empty.
 *
 * Ours rather than msgpack-c's unpacker, which allocates by a declared count before it looks at the length
 * (msgpack-c #1013): guarding it takes a walk over all the bytes, and that walk is already the decoding.
 * Nothing here allocates or recurses. Any width of an integer, string, bin or array header is accepted. */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

struct reader {
	const uint8_t *at, *end;
	int error; /* 0, KUDOS_*, or -ENOMEM when the caller said so */
};

static inline struct reader reader_over(const void *data, size_t size)
{
	const uint8_t *at = data;
	return (struct reader){.at = at, .end = size ? at + size : at};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* Notes the error unless there is one already. */
void reader_fail(struct reader *r, int error);

/* 0 when everything was read and nothing is left; else the error. */
int reader_finish(struct reader *r);

/* How many elements follow. A count over what the remaining bytes can hold is KUDOS_PROTOCOL, over limit
 * KUDOS_LIMIT. */
size_t read_array(struct reader *r, size_t limit);
/* An array of exactly count elements; else KUDOS_PROTOCOL. */
void read_array_of(struct reader *r, size_t count);
/* Longer than limit bytes is KUDOS_LIMIT. The bytes of a string are not checked. */
struct text read_str(struct reader *r, size_t limit);
struct blob read_bin(struct reader *r);
bool read_bool(struct reader *r);

/* Behind the one-byte fast paths below. */
uint64_t read_uint_wide(struct reader *r);
int64_t read_int_wide(struct reader *r);

static inline uint64_t read_uint(struct reader *r)
{
	if (r->at < r->end && *r->at < 0x80)
		return *r->at++;
	return read_uint_wide(r);
}

static inline int64_t read_int(struct reader *r)
{
	if (r->at < r->end && *r->at < 0x80)
		return *r->at++;
	return read_int_wide(r);
}

#endif
