/* SPDX-License-Identifier: MIT */
#include "store/puts.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)1 << 20)

struct puts_block {
	struct puts_block *newer;
	size_t used;
	size_t capacity;
	alignas(struct put) uint8_t bytes[];
};

static size_t put_size(size_t key_size, size_t value_size)
{
	size_t align = alignof(struct put);
	return (sizeof(struct put) + key_size + value_size + align - 1) / align * align;
}

void puts_deinit(struct puts *p)
{
	while (p->oldest) {
		struct puts_block *newer = p->oldest->newer;
		free(p->oldest);
		p->oldest = newer;
	}
	*p = (struct puts){0};
}

static int add_block(struct puts *p, size_t size)
{
	size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct puts_block *block = malloc(sizeof *block + capacity);
	if (!block)
		return -ENOMEM;
	*block = (struct puts_block){.capacity = capacity};
	if (p->newest)
		p->newest->newer = block;
	else
		p->oldest = block;
	p->newest = block;
	return 0;
}

int puts_add(struct puts *p, const void *key, size_t key_size, const void *value, size_t value_size)
{
	if (p->failed)
		return p->failed;
	if (key_size > UINT32_MAX / 4 || value_size > UINT32_MAX / 4)
		return p->failed = -E2BIG;
	size_t size = put_size(key_size, value_size);
	if (!p->newest || p->newest->capacity - p->newest->used < size) {
		int r = add_block(p, size);
		if (r < 0)
			return p->failed = r;
	}
	struct put *put = (struct put *)(void *)(p->newest->bytes + p->newest->used);
	put->key_size = (uint32_t)key_size;
	put->value_size = (uint32_t)value_size;
	memcpy(put->bytes, key, key_size);
	if (value_size)
		memcpy(put->bytes + key_size, value, value_size);
	p->newest->used += size;
	return 0;
}

int puts_each(const struct puts *p, int (*fn)(void *arg, const struct put *put), void *arg)
{
	int r = 0;
	for (const struct puts_block *block = p->oldest; block && r == 0; block = block->newer) {
		for (size_t at = 0; at < block->used && r == 0;) {
			const struct put *put = (const struct put *)(const void *)(block->bytes + at);
			r = fn(arg, put);
			at += put_size(put->key_size, put->value_size);
		}
	}
	return r;
}
