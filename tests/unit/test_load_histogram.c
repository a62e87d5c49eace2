/* SPDX-License-Identifier: MIT */
/* tools/kudos-load/histogram.h */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "histogram.h"

static struct histogram *fresh(void)
{
	struct histogram *h = calloc(1, sizeof(*h));
	cr_assert(h != NULL);
	return h;
}

Test(load_histogram, empty_is_zero)
{
	struct histogram *h = fresh();
	cr_assert(histogram_at(h, 0.5) == 0);
	cr_assert(histogram_at(h, 1.0) == 0);
	free(h);
}

Test(load_histogram, every_value_is_known_within_one_percent)
{
	for (int64_t value = 1; value < INT64_C(1) << 41; value += value / 7 + 1) {
		struct histogram *h = fresh();
		histogram_add(h, value, 1);
		histogram_add(h, INT64_C(1) << 41, 1); /* so that max does not help */
		const int64_t found = histogram_at(h, 0.25);
		cr_assert(llabs(found - value) <= value / 100, "%lld came back as %lld", (long long)value,
			  (long long)found);
		free(h);
	}
}

Test(load_histogram, extremes_have_a_place)
{
	struct histogram *h = fresh();
	histogram_add(h, -5, 1);
	histogram_add(h, INT64_MAX, 1);
	cr_assert(h->total == 2);
	cr_assert(histogram_at(h, 0) == 0);
	cr_assert(h->max == INT64_MAX);
	cr_assert(histogram_at(h, 1.0) > INT64_C(1) << 41);
	free(h);
}

Test(load_histogram, percentiles_and_merge)
{
	struct histogram *low = fresh(), *high = fresh();
	for (int64_t i = 1; i <= 100; i++)
		histogram_add(i <= 90 ? low : high, i, 10);
	histogram_merge(low, high);
	cr_assert(low->total == 1000);
	cr_assert(low->max == 100);
	cr_assert(histogram_at(low, 0.5) == 51, "%lld", (long long)histogram_at(low, 0.5));
	cr_assert(histogram_at(low, 0.99) == 100);
	cr_assert(histogram_at(low, 0.9) == 91);
	free(low);
	free(high);
}
