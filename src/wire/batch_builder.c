/* SPDX-License-Identifier: MIT */
#include "wire/batch_builder.h"

#include <string.h>

/* A type byte and the value in size bytes, most significant first. */
static uint8_t *put(uint8_t *out, uint8_t type, uint64_t value, size_t size)
{
	*out++ = type;
	for (size_t i = size; i-- > 0;)
		*out++ = (uint8_t)(value >> (8 * i));
	return out;
}

static uint8_t *put_uint(uint8_t *out, uint64_t value)
{
	if (value < 0x80)
		return put(out, (uint8_t)value, 0, 0);
	if (value <= UINT8_MAX)
		return put(out, 0xcc, value, 1);
	if (value <= UINT16_MAX)
		return put(out, 0xcd, value, 2);
	if (value <= UINT32_MAX)
		return put(out, 0xce, value, 4);
	return put(out, 0xcf, value, 8);
}

static uint8_t *put_int(uint8_t *out, int32_t value)
{
	if (value >= 0)
		return put_uint(out, (uint64_t)value);
	if (value >= -32)
		return put(out, (uint8_t)value, 0, 0);
	if (value >= INT8_MIN)
		return put(out, 0xd0, (uint8_t)value, 1);
	if (value >= INT16_MIN)
		return put(out, 0xd1, (uint16_t)value, 2);
	return put(out, 0xd2, (uint32_t)value, 4);
}

size_t batch_event_encode(uint8_t out[BATCH_EVENT_MAX], const char *key, size_t key_size, int32_t n)
{
	uint8_t *at =
	    key_size < 32 ? put(out, (uint8_t)(0xa0 | key_size), 0, 0) : put(out, 0xd9, key_size, 1);
	memcpy(at, key, key_size);
	return (size_t)(put_int(at + key_size, n) - out);
}

size_t batch_header_encode(uint8_t out[BATCH_HEADER_MAX], struct session session, struct proof proof,
			   uint64_t seq, size_t events)
{
	static const uint8_t start[] = {0x94, 0xa5, 'b', 'a', 't', 'c', 'h'};
	memcpy(out, start, sizeof start);
	uint8_t *at = out + sizeof start;
	at = put_uint(at, proof.signer.id);
	at = put_uint(at, proof.code);
	*at++ = 0x94;
	at = put_uint(at, session.issuer);
	at = put_uint(at, session.number);
	at = put_uint(at, seq);
	size_t elements = 2 * events;
	at = elements < 16 ? put(at, (uint8_t)(0x90 | elements), 0, 0) : put(at, 0xdc, elements, 2);
	return (size_t)(at - out);
}
