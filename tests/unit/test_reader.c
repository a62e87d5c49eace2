/* SPDX-License-Identifier: MIT */
/* The cursor over msgpack bytes, value by value and against msgpack-c's own unpacker. */
#include <criterion/criterion.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>

#include "unit/random.h"
#include "unit/wire_help.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define READER(literal) reader_over(literal, sizeof(literal) - 1)

Test(reader, the_first_error_sticks)
{
	struct reader r = READER("\xc0\x05\x06");
	cr_assert(read_uint(&r) == 0 && r.error == KUDOS_PROTOCOL);
	cr_assert(read_uint(&r) == 0 && reader_left(&r) == 0);
	reader_fail(&r, KUDOS_LIMIT);
	cr_assert(reader_finish(&r) == KUDOS_PROTOCOL);
}

Test(reader, what_is_left_over_is_an_error)
{
	struct reader r = READER("\x05\x06");
	cr_assert(read_uint(&r) == 5 && reader_finish(&r) == KUDOS_PROTOCOL);
	r = READER("\x05");
	cr_assert(read_uint(&r) == 5 && reader_finish(&r) == 0);
	r = READER("");
	cr_assert(read_uint(&r) == 0 && reader_finish(&r) == KUDOS_PROTOCOL);
	r = reader_over(NULL, 0);
	cr_assert(reader_finish(&r) == 0);
}

Test(reader, counts_are_held_against_the_bytes_that_remain)
{
	struct reader r = READER("\xdd\xff\xff\xff\xff\x01");
	cr_assert(read_array(&r, SIZE_MAX) == 0 && r.error == KUDOS_PROTOCOL);
	r = READER("\x92\x01");
	cr_assert(read_array(&r, SIZE_MAX) == 0 && r.error == KUDOS_PROTOCOL);
	r = READER("\x92\x01\x02");
	cr_assert(read_array(&r, 1) == 0 && r.error == KUDOS_LIMIT);
	r = READER("\x92\x01\x02");
	cr_assert(read_array(&r, 2) == 2 && !r.error);
	r = READER("\xdb\xff\xff\xff\xff"
		   "abc");
	cr_assert(read_str(&r, SIZE_MAX).size == 0 && r.error == KUDOS_PROTOCOL);
	r = READER("\xc6\xff\xff\xff\xff"
		   "abc");
	cr_assert(read_bin(&r).size == 0 && r.error == KUDOS_PROTOCOL);
	r = READER("\xa3"
		   "abc");
	cr_assert(read_str(&r, 2).size == 0 && r.error == KUDOS_LIMIT);
	r = READER("\x93\x01\x02\x03");
	read_array_of(&r, 2);
	cr_assert(r.error == KUDOS_PROTOCOL);
}

Test(reader, ranges_of_integers)
{
	struct reader r = READER("\xff\xff");
	cr_assert(read_int(&r) == -1 && read_uint(&r) == 0 && r.error == KUDOS_PROTOCOL);
	r = READER("\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00\xd3\x80\x00\x00\x00\x00\x00\x00\x00");
	cr_assert(read_int(&r) == INT8_MIN && read_int(&r) == INT16_MIN && read_int(&r) == INT32_MIN);
	cr_assert(read_int(&r) == INT64_MIN && reader_finish(&r) == 0);
	r = READER("\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xcf\x80\x00\x00\x00\x00\x00\x00\x00");
	cr_assert(read_uint(&r) == UINT64_MAX && !r.error);
	cr_assert(read_int(&r) == 0 && r.error == KUDOS_PROTOCOL);
}

/* One random value of the kinds that the protocol has, written by msgpack-c. */
static void pack_random(msgpack_packer *pk, struct random *random)
{
	static const char text[70000];
	uint64_t bits = random_next(random) >> random_below(random, 64);
	size_t size = (size_t)random_below(random, random_below(random, 2) ? 40 : sizeof text);
	switch (random_below(random, 6)) {
	case 0:
		msgpack_pack_uint64(pk, bits);
		break;
	case 1:
		msgpack_pack_int64(pk, (int64_t)bits);
		break;
	case 2:
		msgpack_pack_int64(pk, -(int64_t)(bits >> 1) - 1);
		break;
	case 3:
		msgpack_pack_str_with_body(pk, text, size);
		break;
	case 4:
		msgpack_pack_bin_with_body(pk, text, size);
		break;
	default:
		bits % 2 ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
	}
}

/* Reads what o holds with our reader and compares. */
static bool same(struct reader *r, const msgpack_object *o)
{
	struct reader before = *r;
	switch (o->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		if (o->via.u64 <= INT64_MAX && read_int(&before) != (int64_t)o->via.u64)
			return false;
		return read_uint(r) == o->via.u64;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return read_int(r) == o->via.i64;
	case MSGPACK_OBJECT_BOOLEAN:
		return read_bool(r) == o->via.boolean;
	case MSGPACK_OBJECT_STR: {
		struct text text = read_str(r, SIZE_MAX);
		return text.size == o->via.str.size && (!text.size || text.data == o->via.str.ptr);
	}
	case MSGPACK_OBJECT_BIN: {
		struct blob blob = read_bin(r);
		return blob.size == o->via.bin.size &&
		       (!blob.size || blob.data == (const uint8_t *)o->via.bin.ptr);
	}
	default:
		return false;
	}
}

static void compare_round(uint64_t seed)
{
	struct random random;
	random_seed(&random, seed);
	msgpack_sbuffer buffer;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer pk;
	msgpack_packer_init(&pk, &buffer, msgpack_sbuffer_write);
	size_t count = (size_t)random_below(&random, 40);
	msgpack_pack_array(&pk, count);
	for (size_t i = 0; i < count; i++)
		pack_random(&pk, &random);

	msgpack_unpacked value;
	msgpack_unpacked_init(&value);
	cr_assert(msgpack_unpack_next(&value, buffer.data, buffer.size, NULL) == MSGPACK_UNPACK_SUCCESS);
	struct reader r = reader_over(buffer.data, buffer.size);
	cr_assert(read_array(&r, SIZE_MAX) == count);
	for (size_t i = 0; i < count; i++)
		cr_assert(same(&r, &value.data.via.array.ptr[i]) && !r.error, "seed %llu, element %zu",
			  (unsigned long long)seed, i);
	cr_assert(reader_finish(&r) == 0, "seed %llu", (unsigned long long)seed);
	msgpack_unpacked_destroy(&value);
	msgpack_sbuffer_destroy(&buffer);
}

Test(reader, agrees_with_msgpack_c)
{
	for (uint64_t seed = 0; seed < 2000; seed++)
		compare_round(seed);
	assert_no_leak();
}
