/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "kudos.h"
#include "unit/leak.h"

static int parse(struct events *events, const char *body)
{
	char why[256] = "";
	int error = events_parse(events, body, strlen(body), why, sizeof why);
	cr_assert((error != 0) == (*why != '\0'), "%s: %s", body, why);
	return error;
}

Test(events, both_forms)
{
	struct events e;
	cr_assert(parse(&e, "{\"key\":\"caf\u00e9\"}") == 0 && e.count == 1 && e.list[0].n == 1);
	cr_assert_str_eq(e.list[0].key, "caf\xc3\xa9");
	events_deinit(&e);
	cr_assert(parse(&e, " {\"n\":-7,\"key\":\"a\"}\n") == 0 && e.list[0].n == -7);
	events_deinit(&e);
	cr_assert(parse(&e, "{\"events\":[[\"a\",1],[\"b\",-1000000],[\"a\",2]]}") == 0 && e.count == 3);
	cr_assert(e.list[1].n == -1000000 && strcmp(e.list[2].key, "a") == 0);
	events_deinit(&e);
	assert_no_leak();
}

Test(events, what_is_none)
{
	static const struct {
		const char *body;
		int error;
	} bodies[] = {
	    {"", KUDOS_PROTOCOL},
	    {"{", KUDOS_PROTOCOL},
	    {"[]", KUDOS_PROTOCOL},
	    {"{}", KUDOS_PROTOCOL},
	    {"null", KUDOS_PROTOCOL},
	    {"{\"events\":{}}", KUDOS_PROTOCOL},
	    {"{\"events\":[]}", KUDOS_PROTOCOL},
	    {"{\"events\":[\"a\"]}", KUDOS_PROTOCOL},
	    {"{\"events\":[[\"a\",1.5]]}", KUDOS_PROTOCOL},
	    {"{\"events\":[[1,1]]}", KUDOS_PROTOCOL},
	    {"{\"key\":\"a\",\"key\":\"b\"}", KUDOS_PROTOCOL},
	    {"{\"key\":\"a\"} x", KUDOS_PROTOCOL},
	    {"{\"key\":\"a\",\"n\":9223372036854775808}", KUDOS_PROTOCOL},
	    {"{\"key\":\"a\\u0000b\"}", KUDOS_PROTOCOL},
	    {"{\"key\":\"\"}", KUDOS_BAD_KEY},
	    {"{\"key\":\"a b\"}", KUDOS_BAD_KEY},
	    {"{\"key\":\"a\",\"n\":0}", KUDOS_BAD_AMOUNT},
	    {"{\"events\":[[\"a\",1],[\"a\",1000001]]}", KUDOS_BAD_AMOUNT},
	};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct events e;
		cr_assert(parse(&e, bodies[i].body) == bodies[i].error, "%s", bodies[i].body);
	}
	assert_no_leak();
}

Test(events, as_many_as_a_batch_holds)
{
	char *body = malloc(16 + 8 * (EVENTS_MAX + 1));
	for (int count = EVENTS_MAX; count <= EVENTS_MAX + 1; count++) {
		struct events e;
		size_t used = (size_t)sprintf(body, "{\"events\":[");
		for (int i = 0; i < count; i++)
			used += (size_t)sprintf(body + used, "%s[\"a\",1]", i ? "," : "");
		strcpy(body + used, "]}");
		cr_assert(parse(&e, body) == (count > EVENTS_MAX ? KUDOS_TOO_LARGE : 0));
		if (count == EVENTS_MAX) {
			cr_assert(e.count == EVENTS_MAX);
			events_deinit(&e);
		}
	}
	free(body);
	assert_no_leak();
}
