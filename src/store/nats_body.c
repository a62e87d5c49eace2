/* SPDX-License-Identifier: MIT */
#include "store/nats_body.h"

#include <string.h>
#include <zstd.h>

#include "base/limits.h"

#define HEADER "Kudos-Encoding"
#define ENCODING "zstd"
#define PACKED_LEAST 2048 /* bytes: less is not worth the time, and is easier to read by eye */
#define LEVEL 1		  /* 2 and 3 make it 2 % shorter */

static natsStatus make_packed(natsMsg **m, const char *subject, const char *reply, const struct bytes *packed)
{
	natsStatus s = natsMsg_Create(m, subject, reply, (const char *)packed->data, (int)packed->size);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(*m, HEADER, ENCODING);
	return s;
}

natsStatus nats_body_make(natsMsg **m, const char *subject, const char *reply, const void *data, size_t size)
{
	struct bytes packed = {0};
	if (size >= PACKED_LEAST) {
		size_t room = ZSTD_compressBound(size);
		uint8_t *to = bytes_extend(&packed, room);
		size_t used = to ? ZSTD_compress(to, room, data, size, LEVEL) : size;
		packed.size = ZSTD_isError(used) || used >= size ? 0 : used;
	}
	natsStatus s = packed.size ? make_packed(m, subject, reply, &packed)
				   : natsMsg_Create(m, subject, reply, data, (int)size);
	bytes_deinit(&packed);
	return s;
}

/* Its length is in front of what we write, and no record is longer than a message may be. */
static bool unpack(const void *from, size_t size, struct bytes *to)
{
	unsigned long long length = ZSTD_getFrameContentSize(from, size);
	if (length > LIMIT_MESSAGE)
		return false;
	uint8_t *at = bytes_extend(to, length);
	return at && ZSTD_decompress(at, length, from, size) == length;
}

bool nats_body_read(natsMsg *m, struct bytes *unpacked, const uint8_t **data, size_t *size)
{
	const char *encoding = NULL;
	bytes_clear(unpacked);
	*data = (const uint8_t *)natsMsg_GetData(m);
	*size = (size_t)natsMsg_GetDataLength(m);
	if (natsMsgHeader_Get(m, HEADER, &encoding) != NATS_OK)
		return true;
	if (strcmp(encoding, ENCODING) != 0 || !unpack(*data, *size, unpacked))
		return false;
	*data = unpacked->data;
	*size = unpacked->size;
	return true;
}
