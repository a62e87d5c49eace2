/* SPDX-License-Identifier: MIT */
/* Appends msgpack to struct bytes, each value in its smallest form (msgpack-c's packer). Failure sticks in
 * the bytes. Counts and sizes are the caller's own and within LIMIT_MESSAGE. */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include <msgpack/pack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct writer {
	msgpack_packer packer;
};

static inline int writer_append(void *out, const char *data, size_t size)
{
	bytes_append(out, data, size);
	return 0; /* bytes remember their failure */
}

static inline struct writer writer_to(struct bytes *out)
{
	struct writer w;
	msgpack_packer_init(&w.packer, out, writer_append);
	return w;
}

static inline void write_array(struct writer *w, size_t count)
{
	msgpack_pack_array(&w->packer, count);
}

static inline void write_uint(struct writer *w, uint64_t value)
{
	msgpack_pack_uint64(&w->packer, value);
}

static inline void write_int(struct writer *w, int64_t value)
{
	msgpack_pack_int64(&w->packer, value);
}

static inline void write_bool(struct writer *w, bool value)
{
	if (value)
		msgpack_pack_true(&w->packer);
	else
		msgpack_pack_false(&w->packer);
}

static inline void write_str(struct writer *w, const char *data, size_t size)
{
	msgpack_pack_str_with_body(&w->packer, data, size);
}

static inline void write_bin(struct writer *w, const void *data, size_t size)
{
	msgpack_pack_bin_with_body(&w->packer, data, size);
}

#endif
