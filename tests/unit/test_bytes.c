/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "base/bytes.h"
#include "unit/leak.h"

Test(bytes, grows_and_keeps_what_it_held)
{
	struct bytes b = {0};
	for (unsigned i = 0; i < 5000; i++) {
		uint8_t two[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
		bytes_append(&b, two, sizeof two);
	}
	cr_assert(!bytes_failed(&b) && b.size == 10000 && b.capacity >= b.size);
	for (unsigned i = 0; i < 5000; i++)
		cr_assert(b.data[2 * i] == (uint8_t)i && b.data[2 * i + 1] == (uint8_t)(i >> 8));
	bytes_deinit(&b);
	cr_assert(b.data == NULL && b.size == 0 && b.capacity == 0);
	assert_no_leak();
}

Test(bytes, nothing_appended_allocates_nothing)
{
	struct bytes b = {0};
	bytes_append(&b, NULL, 0);
	cr_assert(b.data == NULL && !bytes_failed(&b));
}

Test(bytes, failure_sticks_until_it_is_cleared)
{
	struct bytes b = {0};
	bytes_append(&b, "abc", 3);
	cr_assert_null(bytes_extend(&b, SIZE_MAX - 1)); /* the sum would wrap */
	cr_assert(bytes_failed(&b));
	bytes_append(&b, "def", 3);
	cr_assert_null(bytes_extend(&b, 1));
	cr_assert(b.size == 3 && memcmp(b.data, "abc", 3) == 0);
	bytes_clear(&b);
	cr_assert(!bytes_failed(&b) && b.size == 0 && b.capacity > 0);
	bytes_append(&b, "x", 1);
	cr_assert(b.size == 1 && b.data[0] == 'x');
	bytes_deinit(&b);
	assert_no_leak();
}
