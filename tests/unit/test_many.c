/* SPDX-License-Identifier: MIT */
/* Several messages as one. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "leak.h"
#include "unit/wire_help.h"
#include "wire/many.h"

static uint8_t part[70000];

/* What is sent for parts of these sizes is decoded as the same. */
static void check(struct many *m, const size_t *sizes, size_t count)
{
	struct message out;
	const uint8_t *data;
	size_t size;
	for (size_t i = 0; i < count; i++)
		cr_assert(many_add(m, part + i, sizes[i]));
	cr_assert(many_take(m, &data, &size));
	cr_assert(message_decode(data, size, &out) == 0 && out.type == MESSAGE_MANY);
	cr_assert(out.many.count == count);
	for (size_t i = 0; i < count; i++)
		cr_assert(out.many.messages[i].size == sizes[i] &&
			  memcmp(out.many.messages[i].data, part + i, sizes[i]) == 0);
	struct bytes again = {0};
	message_encode(&out, &again); /* each value in its smallest form */
	cr_assert(again.size == size && memcmp(again.data, data, size) == 0);
	bytes_deinit(&again);
	message_deinit(&out);
	cr_assert(!many_take(m, &data, &size));
}

Test(many, comes_out_as_it_went_in)
{
	static size_t sizes[LIMIT_MANY] = {3, 0, 300, 255, 256};
	struct many m = {0};
	for (size_t i = 0; i < sizeof part; i++)
		part[i] = (uint8_t)(i * 7 + i / 256);
	check(&m, sizes, 2);
	check(&m, sizes, 5);
	for (size_t i = 5; i < LIMIT_MANY; i++)
		sizes[i] = i % 60;
	check(&m, sizes, 15);
	check(&m, sizes, 16);
	check(&m, sizes, LIMIT_MANY);
	many_deinit(&m);
	assert_no_leak();
}

Test(many, one_is_sent_as_it_is)
{
	static const size_t sizes[] = {0, 1, 200, 256, sizeof part};
	struct many m = {0};
	const uint8_t *data;
	size_t size;
	cr_assert(!many_take(&m, &data, &size));
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		cr_assert(many_add(&m, part, sizes[i]));
		cr_assert(many_take(&m, &data, &size) && size == sizes[i] && memcmp(data, part, size) == 0);
	}
	many_deinit(&m);
}

Test(many, has_its_limits)
{
	struct many m = {0};
	const uint8_t *data;
	size_t size;
	for (size_t i = 0; i < LIMIT_MANY; i++)
		cr_assert(many_add(&m, part, 1));
	cr_assert(!many_add(&m, part, 1));
	cr_assert(many_take(&m, &data, &size) && size < 65536);
	cr_assert(many_add(&m, part, 60000));
	cr_assert(!many_add(&m, part, 6000)); /* it would be longer than 64 KiB */
	cr_assert(many_add(&m, part, 5000));
	cr_assert(many_take(&m, &data, &size) && size > 65000);
	cr_assert(many_add(&m, part, sizeof part) && !many_add(&m, part, 1)); /* one may be, by itself */
	many_deinit(&m);
	assert_no_leak();
}
