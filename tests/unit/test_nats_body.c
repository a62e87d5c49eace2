/* SPDX-License-Identifier: MIT */
#include "store/nats_body.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"

static uint8_t plain[LIMIT_MESSAGE];

/* As keys and amounts are. */
static void fill_with_keys(void)
{
	for (size_t at = 0; at < sizeof plain;) {
		char key[32];
		int n = snprintf(key, sizeof key, "post:%06lu:likes", hash_pair(at, 1, 2) % 10000);
		size_t size = (size_t)n < sizeof plain - at ? (size_t)n : sizeof plain - at;
		memcpy(plain + at, key, size);
		at += size;
	}
}

static void fill_at_random(void)
{
	for (size_t at = 0; at < sizeof plain; at++)
		plain[at] = (uint8_t)hash_pair(at, 1, 2);
}

static natsMsg *make(size_t size)
{
	natsMsg *m = NULL;
	cr_assert(nats_Open(-1) == NATS_OK);
	cr_assert(nats_body_make(&m, "S", NULL, plain, size) == NATS_OK);
	return m;
}

static void expect(natsMsg *m, size_t size)
{
	struct bytes unpacked = {0};
	const uint8_t *data;
	size_t got;
	cr_assert(nats_body_read(m, &unpacked, &data, &got));
	cr_assert(got == size && memcmp(data, plain, size) == 0, "%zu bytes became %zu", size, got);
	bytes_deinit(&unpacked);
}

static bool refused(natsMsg *m)
{
	struct bytes unpacked = {0};
	const uint8_t *data;
	size_t size;
	bool r = !nats_body_read(m, &unpacked, &data, &size);
	bytes_deinit(&unpacked);
	return r;
}

static bool is_packed(natsMsg *m)
{
	const char *encoding = NULL;
	return natsMsgHeader_Get(m, "Kudos-Encoding", &encoding) == NATS_OK && strcmp(encoding, "zstd") == 0;
}

Test(nats_body, of_every_length_comes_back)
{
	static const size_t sizes[] = {0, 1, 100, 2047, 2048, 5000, 65536, LIMIT_MESSAGE};
	fill_with_keys();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		natsMsg *m = make(sizes[i]);
		cr_assert(is_packed(m) == (sizes[i] >= 2048), "%zu", sizes[i]);
		if (is_packed(m))
			cr_assert((size_t)natsMsg_GetDataLength(m) < sizes[i] / 2);
		expect(m, sizes[i]);
		natsMsg_Destroy(m);
	}
}

Test(nats_body, that_does_not_become_shorter_stays_as_it_is)
{
	fill_at_random();
	natsMsg *m = make(100000);
	cr_assert(!is_packed(m) && natsMsg_GetDataLength(m) == 100000);
	expect(m, 100000);
	natsMsg_Destroy(m);
}

/* A message with the bytes of another one, and its header. */
static natsMsg *packed_with(const void *data, size_t size, const char *encoding)
{
	natsMsg *m = NULL;
	cr_assert(natsMsg_Create(&m, "S", NULL, data, (int)size) == NATS_OK);
	cr_assert(natsMsgHeader_Set(m, "Kudos-Encoding", encoding) == NATS_OK);
	return m;
}

Test(nats_body, of_strangers_is_refused)
{
	fill_with_keys();
	natsMsg *good = make(50000);
	size_t size = (size_t)natsMsg_GetDataLength(good);
	uint8_t *bytes = malloc(size);
	cr_assert(bytes != NULL);
	memcpy(bytes, natsMsg_GetData(good), size);
	/* A frame of zeros that says it is longer than any record. */
	static const uint8_t long_one[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x01, 0x00, 0x10, 0x00, 0x03, 0, 0};
	natsMsg *bad[] = {
	    packed_with(bytes, size - 1, "zstd"), packed_with(bytes, 3, "zstd"),
	    packed_with("", 0, "zstd"),		  packed_with(plain, 3000, "zstd"),
	    packed_with(bytes, size, "gzip"),	  packed_with(long_one, sizeof long_one, "zstd")};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert(refused(bad[i]), "%zu", i);
		natsMsg_Destroy(bad[i]);
	}
	/* Whatever one byte becomes: refused, or as long as it says. */
	for (size_t at = 0; at < size; at += 7) {
		bytes[at] ^= 0x55;
		natsMsg *m = packed_with(bytes, size, "zstd");
		refused(m);
		natsMsg_Destroy(m);
		bytes[at] ^= 0x55;
	}
	free(bytes);
	natsMsg_Destroy(good);
}
