/* SPDX-License-Identifier: MIT */
#include "store/echo.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "unit/leak.h"
#include "unit/random.h"

static struct position at(uint64_t origin, uint64_t lsn)
{
	return (struct position){{origin}, lsn};
}

static bool is(const void *arg, struct origin origin)
{
	return origin.id == *(const uint64_t *)arg;
}

/* One commit that writes p: what it tells, as "1:1 2:3 ". */
static void commit(struct echo *e, struct vector *newest, struct position p, char text[200])
{
	struct bytes out = {0};
	size_t used = 0;
	text[0] = '\0';
	cr_assert(echo_tell(e, newest, is, &p.origin.id, &out) == 0 && out.size % 16 == 0);
	for (size_t i = 0; i < out.size && used < 180; i += 16) {
		struct position told = echo_get(out.data + i);
		used += (size_t)sprintf(text + used, "%lu:%lu ", told.origin.id, told.lsn);
	}
	bytes_deinit(&out);
	cr_assert(vector_set(newest, p.origin, p.lsn) == 0 && echo_note(e, p) == 0);
}

Test(echo, the_newest_of_others_is_told_at_distances_that_double)
{
	struct echo e = {0};
	struct vector newest = {0};
	char text[200];
	commit(&e, &newest, at(1, 1), text);
	commit(&e, &newest, at(1, 2), text);
	cr_assert(text[0] == '\0', "an origin that goes on tells by itself: %s", text);
	for (uint64_t n = 1; n <= 70; n++) {
		commit(&e, &newest, at(2, n), text);
		bool power = (n & (n - 1)) == 0;
		cr_assert(strcmp(text, power ? "1:2 " : "") == 0, "%lu: %s", n, text);
	}
	commit(&e, &newest, at(1, 3), text);
	cr_assert(strcmp(text, "2:70 ") == 0, "%s", text);
	echo_clear(&e);
	commit(&e, &newest, at(3, 1), text);
	cr_assert(text[0] == '\0');
	echo_deinit(&e);
	vector_deinit(&newest);
	assert_no_leak();
}

/* Whatever is lost in one stretch of commits is told of by one of as many commits behind it. */
Test(echo, a_stretch_of_commits_is_seen_by_as_many_behind_it)
{
	enum { COMMITS = 300, ORIGINS = 7 };
	struct echo e = {0};
	struct vector newest = {0};
	struct random random;
	struct position written[COMMITS], told[COMMITS][ORIGINS * 2];
	size_t counts[COMMITS] = {0};
	random_seed(&random, 11);
	for (size_t n = 0; n < COMMITS; n++) {
		uint64_t origin = 1 + random_below(&random, random_below(&random, 20) ? 2 : ORIGINS);
		struct position p = at(origin, n + 1);
		struct bytes out = {0};
		cr_assert(echo_tell(&e, &newest, is, &p.origin.id, &out) == 0);
		for (size_t i = 0; i < out.size; i += 16)
			told[n][counts[n]++] = echo_get(out.data + i);
		bytes_deinit(&out);
		written[n] = p;
		cr_assert(vector_set(&newest, p.origin, p.lsn) == 0 && echo_note(&e, p) == 0);
	}
	for (size_t from = 0; from < COMMITS; from++) {
		for (size_t to = from + 1; to + (to - from) <= COMMITS; to++) {
			for (size_t lost = from; lost < to; lost++) {
				bool seen = false;
				for (size_t n = to; n < to + (to - from); n++) {
					seen =
					    seen || (origin_equal(written[n].origin, written[lost].origin));
					for (size_t i = 0; i < counts[n]; i++)
						seen = seen || (origin_equal(told[n][i].origin,
									     written[lost].origin) &&
								told[n][i].lsn >= written[lost].lsn);
				}
				cr_assert(seen, "%zu in %zu to %zu", lost, from, to);
			}
		}
	}
	echo_deinit(&e);
	vector_deinit(&newest);
	assert_no_leak();
}

/* A commit tells so many at most, and the next one goes on. */
Test(echo, many_are_told_one_commit_after_the_other)
{
	struct echo e = {0};
	struct vector newest = {0};
	const uint64_t nobody = 0;
	for (uint64_t n = 1; n <= 5 * ECHO_MOST / 2; n++)
		cr_assert(vector_set(&newest, (struct origin){n}, 1) == 0 && echo_note(&e, at(n, 1)) == 0);
	size_t all = 0;
	for (int i = 0; i < 3; i++) {
		struct bytes out = {0};
		cr_assert(echo_tell(&e, &newest, is, &nobody, &out) == 0);
		cr_assert(out.size <= ECHO_MOST * 16);
		all += out.size / 16;
		bytes_deinit(&out);
	}
	cr_assert(all >= 5 * ECHO_MOST / 2, "%zu", all);
	echo_deinit(&e);
	vector_deinit(&newest);
	assert_no_leak();
}
