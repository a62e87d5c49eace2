/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "unit/leak.h"

struct row {
	uint64_t id;
	char more[5];
};

Test(array, grows_by_doubling)
{
	struct row *rows = NULL;
	size_t capacity = 0, moves = 0;
	for (size_t count = 0; count < 1000; count++) {
		size_t before = capacity;
		cr_assert(array_reserve(&rows, count + 1, &capacity, sizeof *rows) == 0);
		cr_assert(capacity > count);
		moves += capacity != before;
		rows[count] = (struct row){.id = count};
	}
	cr_assert(moves == 11, "1, 2, 4 … 1024: %zu", moves);
	for (size_t i = 0; i < 1000; i++)
		cr_assert(rows[i].id == i);
	cr_assert(array_reserve(&rows, 5000, &capacity, sizeof *rows) == 0 && capacity == 5000);
	free(rows);
	assert_no_leak();
}

Test(array, what_cannot_be_had_changes_nothing)
{
	struct row *rows = NULL;
	size_t capacity = 0;
	cr_assert(array_reserve(&rows, 3, &capacity, sizeof *rows) == 0);
	struct row *held = rows;
	cr_assert(array_reserve(&rows, SIZE_MAX / sizeof *rows + 1, &capacity, sizeof *rows) == -ENOMEM);
	cr_assert(rows == held && capacity == 3);
	free(rows);
	assert_no_leak();
}

Test(array, place_is_the_first_that_is_not_below)
{
	struct row rows[40];
	for (size_t count = 0; count <= 40; count++) {
		for (size_t i = 0; i < count; i++)
			rows[i] = (struct row){.id = 10 * (i + 1)};
		for (uint64_t id = 0; id < 420; id++) {
			size_t expected = 0;
			while (expected < count && rows[expected].id < id)
				expected++;
			cr_assert(array_place(rows, count, sizeof *rows, id) == expected);
		}
	}
	cr_assert(array_place(NULL, 0, sizeof *rows, 7) == 0);
	cr_assert(array_place(rows, 40, sizeof *rows, UINT64_MAX) == 40);
}
