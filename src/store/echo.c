/* SPDX-License-Identifier: MIT */
#include "store/echo.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void echo_deinit(struct echo *e)
{
	free(e->heap);
	*e = (struct echo){0};
}

void echo_clear(struct echo *e)
{
	e->count = 0;
}

static void swap(struct told *a, struct told *b)
{
	struct told c = *a;
	*a = *b;
	*b = c;
}

static int push(struct echo *e, struct told one)
{
	if (array_reserve(&e->heap, e->count + 1, &e->capacity, sizeof *e->heap) < 0)
		return -ENOMEM;
	size_t i = e->count++;
	e->heap[i] = one;
	for (; i > 0 && e->heap[(i - 1) / 2].due > e->heap[i].due; i = (i - 1) / 2)
		swap(&e->heap[i], &e->heap[(i - 1) / 2]);
	return 0;
}

static struct told pop(struct echo *e)
{
	struct told first = e->heap[0];
	e->heap[0] = e->heap[--e->count];
	for (size_t i = 0, least;; i = least) {
		least = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < e->count; child++) {
			if (e->heap[child].due < e->heap[least].due)
				least = child;
		}
		if (least == i)
			return first;
		swap(&e->heap[i], &e->heap[least]);
	}
}

int echo_note(struct echo *e, struct position at)
{
	return push(e, (struct told){.at = at, .since = e->commit, .due = e->commit + 1});
}

int echo_tell(struct echo *e, const struct vector *newest,
	      bool (*skip)(const void *arg, struct origin origin), const void *arg, struct bytes *out)
{
	e->commit++;
	for (size_t n = 0; n < ECHO_MOST && e->count > 0 && e->heap[0].due <= e->commit;) {
		struct told one = pop(e);
		if (vector_get(newest, one.at.origin) != one.at.lsn || skip(arg, one.at.origin))
			continue; /* a later record tells it */
		echo_put(out, one.at);
		n++;
		one.due = e->commit + (e->commit - one.since); /* twice as far away */
		int r = bytes_failed(out) ? -ENOMEM : push(e, one);
		if (r < 0)
			return r;
	}
	return 0;
}

void echo_put(struct bytes *out, struct position at)
{
	uint64_t pair[2] = {htole64(at.origin.id), htole64(at.lsn)};
	bytes_append(out, pair, sizeof pair);
}

struct position echo_get(const uint8_t bytes[16])
{
	uint64_t pair[2];
	memcpy(pair, bytes, sizeof pair);
	return (struct position){{le64toh(pair[0])}, le64toh(pair[1])};
}
