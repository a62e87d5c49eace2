/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "quota.h"
#include "unit/leak.h"

static struct address address(const char *text)
{
	struct address a;
	cr_assert(address_parse(&a, text, strlen(text)));
	return a;
}

/* How many of so many requests at once pass. */
static int pass(struct quota *q, const char *who, int64_t now, int requests)
{
	struct address a = address(who);
	int passed = 0;
	for (int i = 0; i < requests; i++)
		passed += quota_request(q, &a, now);
	return passed;
}

Test(quota, a_second_is_in_the_bucket_and_it_fills_again)
{
	struct quota q;
	cr_assert(quota_init(&q, 10, 0));
	cr_assert(pass(&q, "10.0.0.1", 1000, 20) == 10 && pass(&q, "10.0.0.2", 1000, 20) == 10);
	cr_assert(pass(&q, "10.0.0.1", 1099, 1) == 0 && pass(&q, "10.0.0.1", 1100, 5) == 1);
	cr_assert(pass(&q, "10.0.0.1", 1600, 9) == 5);
	cr_assert(pass(&q, "10.0.0.1", 60000, 20) == 10, "and holds no more");
	cr_assert(pass(&q, "10.0.0.1", 60000, 1) == 0);
	quota_deinit(&q);
	assert_no_leak();
}

Test(quota, a_network_of_ipv6_is_one)
{
	struct quota q;
	cr_assert(quota_init(&q, 4, 0));
	cr_assert(pass(&q, "2001:db8::1", 0, 3) == 3 && pass(&q, "2001:db8::ffff:2", 0, 3) == 1);
	cr_assert(pass(&q, "2001:db8:0:1::1", 0, 9) == 4);
	cr_assert(pass(&q, "::ffff:10.0.0.1", 0, 3) == 3 && pass(&q, "10.0.0.1", 0, 3) == 1,
		  "IPv4, mapped or not");
	cr_assert(pass(&q, "10.0.0.2", 0, 9) == 4);
	quota_deinit(&q);
}

Test(quota, connections_are_counted)
{
	struct quota q;
	struct address a = address("10.0.0.1"), b = address("10.0.0.2");
	cr_assert(quota_init(&q, 0, 2));
	quota_disconnected(&q, &a); /* of nobody */
	for (int i = 0; i < 2; i++) {
		cr_assert(quota_has_connection(&q, &a, 0));
		quota_connected(&q, &a, 0);
	}
	cr_assert(!quota_has_connection(&q, &a, 1000000) && quota_has_connection(&q, &b, 0));
	quota_disconnected(&q, &a);
	cr_assert(quota_has_connection(&q, &a, 0));
	cr_assert(pass(&q, "10.0.0.1", 0, 1000) == 1000, "requests have no limit");
	quota_deinit(&q);
}

/* Ten times as many addresses as there are places: the newcomers get in, and who has a connection stays. */
Test(quota, the_table_never_grows_and_forgets_who_has_room)
{
	struct quota q;
	struct address held = address("192.0.2.1");
	char text[32];
	int passed = 0;
	cr_assert(quota_init(&q, 2, 1));
	quota_connected(&q, &held, 0);
	for (int i = 0; i < 10 * QUOTA_ADDRESSES; i++) {
		snprintf(text, sizeof text, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		passed += pass(&q, text, i / 100, 1);
	}
	cr_assert(passed == 10 * QUOTA_ADDRESSES, "%d", passed);
	cr_assert(!quota_has_connection(&q, &held, 100000));
	quota_deinit(&q);
	assert_no_leak();
}

Test(quota, no_limits_need_no_table)
{
	struct quota q;
	struct address a = address("10.0.0.1");
	cr_assert(quota_init(&q, 0, 0) && !q.places);
	cr_assert(pass(&q, "10.0.0.1", 0, 1000) == 1000 && quota_has_connection(&q, &a, 0));
	quota_connected(&q, &a, 0);
	quota_disconnected(&q, &a);
	quota_deinit(&q);
}
