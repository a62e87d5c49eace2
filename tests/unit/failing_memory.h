/* SPDX-License-Identifier: MIT */
/* Lets one allocation fail after another. Link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. */
#ifndef TESTS_FAILING_MEMORY_H
#define TESTS_FAILING_MEMORY_H

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static int allowed = INT_MAX; /* allocations until one fails */

static bool fails(void)
{
	return allowed != INT_MAX && allowed-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

/* Runs fn with the first, second, … allocation failing until it gets by without; returns how many failed.
 * spare of them fn can do without. */
static int fail_each(int (*fn)(void *arg), void *arg, int spare)
{
	for (int n = 0; n < 1000; n++) {
		allowed = n;
		int result = fn(arg);
		bool failed = allowed < 0;
		allowed = INT_MAX;
		if (!failed) {
			cr_assert(result == 0);
			return n;
		}
		cr_assert(result == -ENOMEM || (result == 0 && spare-- > 0), "allocation %d: %d", n, result);
	}
	cr_assert_fail("never succeeds");
	return 0;
}

#endif
