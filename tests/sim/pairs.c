/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "sim.h"

static int compare(const struct pair *a, const void *key, size_t size)
{
	size_t shorter = a->key_size < size ? a->key_size : size;
	int c = memcmp(a->key, key, shorter);
	return c ? c : (a->key_size > size) - (a->key_size < size);
}

void *copy_bytes(const void *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	return copy;
}

void pairs_clear(struct pairs *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->at[i].key);
		free(p->at[i].value);
	}
	free(p->at);
	*p = (struct pairs){0};
}

static size_t pairs_find(const struct pairs *p, const void *key, size_t size)
{
	size_t lo = 0, hi = p->count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (compare(&p->at[mid], key, size) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void pairs_put(struct pairs *p, const void *key, size_t key_size, const void *value, size_t value_size)
{
	size_t i = pairs_find(p, key, key_size);
	bool there = i < p->count && compare(&p->at[i], key, key_size) == 0;
	if (there) {
		free(p->at[i].key);
		free(p->at[i].value);
	}
	if (value_size == 0) {
		if (there) {
			p->count--;
			memmove(&p->at[i], &p->at[i + 1], (p->count - i) * sizeof *p->at);
		}
		return;
	}
	if (!there) {
		if (array_reserve(&p->at, p->count + 1, &p->capacity, sizeof *p->at) < 0)
			abort();
		memmove(&p->at[i + 1], &p->at[i], (p->count - i) * sizeof *p->at);
		p->count++;
	}
	p->at[i] =
	    (struct pair){copy_bytes(key, key_size), copy_bytes(value, value_size), key_size, value_size};
}

void pairs_copy(struct pairs *to, const struct pairs *from)
{
	*to = (struct pairs){
	    .at = calloc(from->count + 1, sizeof *to->at), .count = from->count, .capacity = from->count + 1};
	for (size_t i = 0; i < from->count; i++) {
		const struct pair *p = &from->at[i];
		to->at[i] = (struct pair){copy_bytes(p->key, p->key_size),
					  copy_bytes(p->value, p->value_size), p->key_size, p->value_size};
	}
}
