/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "core/recent.h"
#include "unit/leak.h"
#include "unit/random.h"

static void touch(struct recent *r, struct vector *v, uint64_t origin, uint64_t lsn, size_t limit)
{
	cr_assert(vector_set(v, (struct origin){origin}, lsn) == 0);
	cr_assert(recent_touch(r, (struct origin){origin}, limit) == 0);
}

Test(recent, keeps_those_that_changed_last)
{
	struct recent r = {0};
	struct vector v = {0};
	size_t n;
	cr_assert(recent_positions(&r, &v, 3, &n) == NULL && n == 0);
	touch(&r, &v, 9, 1, 3);
	touch(&r, &v, 5, 1, 3);
	touch(&r, &v, 7, 1, 3);
	touch(&r, &v, 9, 2, 3); /* is the newest again */
	touch(&r, &v, 1, 4, 3); /* 5 goes */
	const struct position *at = recent_positions(&r, &v, 9, &n);
	cr_assert(n == 3);
	cr_assert(at[0].origin.id == 1 && at[0].lsn == 4);
	cr_assert(at[1].origin.id == 7 && at[1].lsn == 1);
	cr_assert(at[2].origin.id == 9 && at[2].lsn == 2);
	at = recent_positions(&r, &v, 2, &n);
	cr_assert(n == 2 && at[0].origin.id == 1 && at[1].origin.id == 9);
	touch(&r, &v, 2, 1, 1); /* a lower limit counts from then on */
	cr_assert(r.count == 1 && recent_positions(&r, &v, 9, &n)[0].origin.id == 2);
	recent_deinit(&r);
	vector_deinit(&v);
	assert_no_leak();
}

Test(recent, is_a_list_without_doubles)
{
	struct recent r = {0};
	struct vector v = {0};
	struct random random;
	uint64_t last[64] = {0};
	size_t n;
	random_seed(&random, 5);
	for (uint64_t step = 1; step < 5000; step++) {
		uint64_t o = 1 + random_below(&random, 63);
		touch(&r, &v, o, step, 20);
		last[o] = step;
		const struct position *at = recent_positions(&r, &v, 20, &n);
		uint64_t oldest = step;
		for (size_t i = 0; i < n; i++) {
			cr_assert(i == 0 || at[i - 1].origin.id < at[i].origin.id);
			cr_assert(at[i].lsn == last[at[i].origin.id]);
			oldest = at[i].lsn < oldest ? at[i].lsn : oldest;
		}
		size_t newer = 0;
		for (size_t i = 0; i < 64; i++)
			newer += last[i] >= oldest;
		cr_assert(newer == n, "step %d", (int)step);
	}
	recent_deinit(&r);
	vector_deinit(&v);
	assert_no_leak();
}
