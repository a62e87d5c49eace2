/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "store/nats_names.h"

Test(nats_names, servers_and_stream)
{
	struct nats_names n;
	cr_assert(!nats_names_parse(&n, "nats://a:4222,b,user:word@c:1/LIKES-2_x"));
	cr_assert(n.server_count == 3 && strcmp(n.stream, "LIKES-2_x") == 0);
	cr_assert(strcmp(n.servers[0], "nats://a:4222") == 0 &&
		  strcmp(n.servers[2], "nats://user:word@c:1") == 0);
	cr_assert(strcmp(n.subjects, "LIKES-2_x.r.*") == 0 && strcmp(n.all, "LIKES-2_x.>") == 0);
	cr_assert(strcmp(n.id, "LIKES-2_x.id") == 0);
}

Test(nats_names, what_is_none_is_told)
{
	struct nats_names n;
	const char *bad[] = {"",
			     "http://a/S",
			     "nats://a",
			     "nats://a/",
			     "nats:///S",
			     "nats://a,,b/S",
			     "nats://a/S.T",
			     "nats://a/S S",
			     "nats://a/*",
			     "nats://,/S",
			     "nats://a/0123456789012345678901234567890123456789012345678901234567890123",
			     "nats://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17/S"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(nats_names_parse(&n, bad[i]), "%s", bad[i]);
	char url[400] = "nats://";
	memset(url + 7, 'h', 200);
	strcpy(url + 207, "/S");
	cr_assert(nats_names_parse(&n, url));
}

Test(nats_names, subjects_and_back)
{
	struct nats_names n;
	struct origin o;
	char subject[NATS_SUBJECT];
	cr_assert(!nats_names_parse(&n, "nats://a/S"));
	nats_subject(&n, (struct origin){0xab}, subject);
	cr_assert(strcmp(subject, "S.r.00000000000000ab") == 0);
	cr_assert(nats_subject_origin(&n, subject, &o) && o.id == 0xab);
	const char *bad[] = {"S.r.ab",
			     "S.r.0000000000000000",
			     "T.r.00000000000000ab",
			     "S.r.00000000000000AB",
			     "S.r.00000000000000ab.c",
			     "S",
			     ""};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(!nats_subject_origin(&n, bad[i], &o), "%s", bad[i]);
}
