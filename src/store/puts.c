/* SPDX-License-Identifier: MIT */
#include "store/puts.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)1 << 20)

struct puts_block {
	struct puts_block *older;
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
	while (p->newest) {
		struct puts_block *older = p->newest->older;
		free(p->newest);
		p->newest = older;
	}
	p->count = 0;
	p->failed = 0;
}

static int add_block(struct puts *p, size_t size)
{
	size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct puts_block *block = malloc(sizeof *block + capacity);
	if (!block)
		return -ENOMEM;
	*block = (struct puts_block){.older = p->newest, .capacity = capacity};
	p->newest = block;
	return 0;
}

int puts_add(struct puts *p, const void *key, size_t key_size, const void *value, size_t value_size)
{
	if (p->failed)
		return p->failed;
	if (key_size > UINT32_MAX / 4 || value_size > UINT32_MAX / 4 || p->count >= UINT32_MAX)
		return p->failed = -E2BIG;
	size_t size = put_size(key_size, value_size);
	if (!p->newest || p->newest->capacity - p->newest->used < size) {
		int r = add_block(p, size);
		if (r < 0)
			return p->failed = r;
	}
	struct put *put = (struct put *)(void *)(p->newest->bytes + p->newest->used);
	put->order = (uint32_t)p->count;
	put->key_size = (uint32_t)key_size;
	put->value_size = (uint32_t)value_size;
	memcpy(put->bytes, key, key_size);
	if (value_size)
		memcpy(put->bytes + key_size, value, value_size);
	p->newest->used += size;
	p->count++;
	return 0;
}

int puts_compare_keys(const void *a, size_t a_size, const void *b, size_t b_size)
{
	int r = memcmp(a, b, a_size < b_size ? a_size : b_size);
	return r ? r : (a_size > b_size) - (a_size < b_size);
}

static int compare(const void *a, const void *b)
{
	const struct put *x = *(const struct put *const *)a;
	const struct put *y = *(const struct put *const *)b;
	int r = puts_compare_keys(x->bytes, x->key_size, y->bytes, y->key_size);
	return r ? r : (x->order > y->order) - (x->order < y->order);
}

int puts_sorted(const struct puts *p, const struct put ***list, size_t *count)
{
	if (p->failed)
		return p->failed;
	const struct put **all = malloc((p->count ? p->count : 1) * sizeof *all);
	if (!all)
		return -ENOMEM;
	for (const struct puts_block *block = p->newest; block; block = block->older) {
		for (size_t at = 0; at < block->used;) {
			const struct put *put = (const struct put *)(const void *)(block->bytes + at);
			all[put->order] = put;
			at += put_size(put->key_size, put->value_size);
		}
	}
	qsort(all, p->count, sizeof *all, compare);
	size_t n = 0;
	for (size_t i = 0; i < p->count; i++) {
		if (n > 0 && puts_compare_keys(all[n - 1]->bytes, all[n - 1]->key_size, all[i]->bytes,
					       all[i]->key_size) == 0)
			n--;
		all[n++] = all[i];
	}
	*list = all;
	*count = n;
	return 0;
}
