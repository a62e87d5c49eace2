/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* prefix, "key:", zeros up to key_size, the number. */
static void render_name(char *name, const char *prefix, size_t prefix_size, size_t key_size, uint32_t index)
{
	char digits[16];
	const size_t n = (size_t)snprintf(digits, sizeof(digits), "%u", index);
	const size_t bare = prefix_size + strlen("key:") + n;
	const size_t zeros = key_size > bare ? key_size - bare : 0;
	memcpy(name, prefix, prefix_size);
	memcpy(name + prefix_size, "key:", strlen("key:"));
	memset(name + prefix_size + strlen("key:"), '0', zeros);
	memcpy(name + bare - n + zeros, digits, n + 1);
}

static int render_names(struct keys *k, const struct plan *plan)
{
	const size_t prefix_size = strlen(plan->prefix);
	const size_t key_size = (size_t)plan->key_size;
	const size_t longest = (size_t)plan_key_bytes(plan, plan->keys - 1);
	k->stride = (uint32_t)(longest > key_size ? longest : key_size) + 1;
	k->names = malloc((size_t)k->count * k->stride);
	if (!k->names)
		return -ENOMEM;
	for (uint32_t i = 0; i < k->count; i++)
		render_name(k->names + (size_t)i * k->stride, plan->prefix, prefix_size, key_size, i);
	return 0;
}

/* Vose's method: columns whose weight is below the average are filled up from those above it. weights are
 * scaled so that their average is 1; `stack` holds the small ones from the left and the large from the right.
 */
static void fill_columns(struct keys *k, double *weights, uint32_t *stack)
{
	uint32_t small = 0, large = k->count;
	for (uint32_t i = 0; i < k->count; i++) {
		k->columns[i] = (struct key_column){.own = UINT32_MAX, .alias = i};
		stack[weights[i] < 1.0 ? small++ : --large] = i;
	}
	while (small > 0 && large < k->count) {
		const uint32_t s = stack[--small], l = stack[large];
		k->columns[s] = (struct key_column){.own = (uint32_t)(weights[s] * UINT32_MAX), .alias = l};
		weights[l] -= 1.0 - weights[s];
		if (weights[l] < 1.0) {
			large++;
			stack[small++] = l;
		}
	}
}

static int make_columns(struct keys *k, double exponent)
{
	double *weights = calloc(k->count, sizeof(*weights));
	uint32_t *stack = calloc(k->count, sizeof(*stack));
	k->columns = malloc(k->count * sizeof(*k->columns));
	const int r = weights && stack && k->columns ? 0 : -ENOMEM;
	if (r == 0) {
		double sum = 0;
		for (uint32_t i = 0; i < k->count; i++)
			sum += weights[i] = pow((double)i + 1, -exponent);
		for (uint32_t i = 0; i < k->count; i++)
			weights[i] *= k->count / sum;
		fill_columns(k, weights, stack);
	}
	free(weights);
	free(stack);
	return r;
}

int keys_init(struct keys *k, const struct plan *plan)
{
	*k = (struct keys){.count = plan->keys, .random = plan->seed};
	k->tallies = calloc(k->count, sizeof(*k->tallies));
	if (!k->tallies || render_names(k, plan) < 0)
		return -ENOMEM;
	return plan->zipf > 0 ? make_columns(k, plan->zipf) : 0;
}

void keys_deinit(struct keys *k)
{
	free(k->names);
	free(k->tallies);
	free(k->columns);
	*k = (struct keys){0};
}
