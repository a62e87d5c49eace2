/* SPDX-License-Identifier: MIT */
/* Who may connect. What is looked at in a request comes from libmicrohttpd: cluster/gateway_open. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "door.h"
#include "unit/leak.h"

static struct sockaddr_in peer(const char *text)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	cr_assert(inet_pton(AF_INET, text, &at.sin_addr) == 1);
	return at;
}

static bool comes_in(struct door *door, const char *text)
{
	const struct sockaddr_in at = peer(text);
	const struct sockaddr *from = (const struct sockaddr *)&at;
	const struct address address = address_of(from);
	bool admitted = door_admits(door, from, 0);
	if (admitted && !door_is_proxy(door, &address))
		quota_connected(&door->quota, &address, 0);
	return admitted;
}

Test(door, proxies_bring_as_many_as_they_like)
{
	struct door door;
	struct options options = {.address_connections = 2, .proxy_count = 2};
	cr_assert(address_parse(&options.proxies[0], "10.0.0.1", 8) &&
		  address_parse(&options.proxies[1], "::1", 3));
	cr_assert(door_open(&door, &options));
	for (int i = 0; i < 5; i++)
		cr_assert(comes_in(&door, "10.0.0.1"));
	cr_assert(comes_in(&door, "10.0.0.2") && comes_in(&door, "10.0.0.2") && !comes_in(&door, "10.0.0.2"));
	cr_assert(comes_in(&door, "10.0.0.3") && door.refused_connections == 1);
	struct address six, other;
	cr_assert(address_parse(&six, "::1", 3) && door_is_proxy(&door, &six));
	cr_assert(address_parse(&other, "::2", 3) && !door_is_proxy(&door, &other));
	door_close(&door);
	assert_no_leak();
}

Test(door, does_not_open_without_its_tokens)
{
	struct door door;
	const struct options options = {.tokens = "/nonexistent"};
	cr_assert(!door_open(&door, &options));
	door_close(&door);
	assert_no_leak();
}

Test(door, addresses)
{
	static const char *const wrong[] = {"",		"10.0.0", "10.0.0.1 ", "here", "1:2:3:4:5:6:7:8:9",
					    "010.0.0.1"};
	struct address a, b;
	char text[ADDRESS_SIZE];
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_assert(!address_parse(&a, wrong[i], strlen(wrong[i])), "%s", wrong[i]);
	cr_assert(address_parse(&a, "10.0.0.1,", 8) && address_parse(&b, "::ffff:10.0.0.1", 15));
	cr_assert(address_equal(&a, &b));
	address_text(&b, text);
	cr_assert_str_eq(text, "10.0.0.1");
	cr_assert(address_parse(&a, "2001:db8:0::1", 13));
	address_text(&a, text);
	cr_assert_str_eq(text, "2001:db8::1");
}
