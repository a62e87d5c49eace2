/* SPDX-License-Identifier: MIT */
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

static size_t whole(size_t size)
{
	return (size + PAGES_UNIT - 1) / PAGES_UNIT * PAGES_UNIT;
}

void *pages_new(size_t size)
{
	/* More than asked for, so that an aligned piece is in it; the rest goes back. */
	size_t all = whole(size) + PAGES_UNIT;
	uint8_t *from = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (from == MAP_FAILED)
		return NULL;
	size_t before = (PAGES_UNIT - (uintptr_t)from % PAGES_UNIT) % PAGES_UNIT;
	uint8_t *pages = from + before;
	if (before > 0)
		munmap(from, before);
	munmap(pages + whole(size), PAGES_UNIT - before);
	madvise(pages, whole(size), MADV_HUGEPAGE); /* a wish: without it everything works, slower */
	return pages;
}

void pages_free(void *pages, size_t size)
{
	if (pages)
		munmap(pages, whole(size));
}
