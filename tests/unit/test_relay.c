/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/relay.h"
#include "kudos.h"
#include "unit/leak.h"
#include "unit/random.h"

static struct relayed item(uint64_t issuer, uint64_t number, uint64_t seq, uint64_t id)
{
	return (struct relayed){.session = {issuer, number}, .seq = seq, .id = id};
}

Test(relay, sends_each_until_it_is_answered)
{
	struct relay r;
	struct relayed a = item(7, 1, 1, 1), b = item(7, 1, 2, 2);
	relay_init(&r, 1);
	cr_assert(relay_deadline(&r) == NEVER && relay_next(&r, 0) == NULL);
	cr_assert(relay_add(&r, &a) == 0 && relay_add(&r, &b) == 0);
	cr_assert(relay_deadline(&r) == 0);
	cr_assert(relay_next(&r, 5) == &a && relay_next(&r, 6) == &b && relay_next(&r, 7) == NULL);
	int64_t again = relay_deadline(&r);
	cr_assert(again > SECOND && relay_next(&r, again - 1) == NULL);
	cr_assert(relay_next(&r, again) == &a && relay_next(&r, again) == NULL, "b was sent later");
	cr_assert(relay_take(&r, a.session, 1, RELAY_ALL) == &a &&
		  relay_take(&r, a.session, 1, RELAY_ALL) == NULL);
	relay_all_due(&r);
	cr_assert(relay_next(&r, again) == &b);
	cr_assert(relay_take_id(&r, 2) == &b && r.count == 0 && relay_deadline(&r) == NEVER);
	relay_deinit(&r);
	assert_no_leak();
}

/* Two contents under one name, or two proofs, must not hear each other's answers. */
Test(relay, of_one_name_one_is_on_its_way)
{
	struct relay r;
	struct relayed a = item(7, 1, 1, 1), b = item(7, 1, 1, 2), c = item(7, 1, 1, 3),
		       other = item(8, 1, 1, 4);
	/* Of another session, but with the same hash. */
	struct relayed alike = item(7 ^ (UINT64_C(3) << 32), 2, 1, 5);
	relay_init(&r, 1);
	cr_assert(relay_add(&r, &a) == 0 && relay_add(&r, &alike) == 0 && relay_add(&r, &b) == 0 &&
		  relay_add(&r, &other) == 0 && relay_add(&r, &c) == 0);
	cr_assert(r.by_name.count == 2, "the test's idea of the hash");
	cr_assert(relay_next(&r, 0) == &a && relay_next(&r, 0) == &alike && relay_next(&r, 0) == &other &&
		  !relay_next(&r, 0));
	cr_assert(relay_take(&r, a.session, 1, RELAY_ALL) == &a);
	cr_assert(relay_next(&r, 0) == &b && !relay_next(&r, 0));
	cr_assert(relay_take_id(&r, 3) == &c && !relay_next(&r, 0) && r.count == 3,
		  "given up while it was held");
	cr_assert(relay_add(&r, &c) == 0 && relay_take_id(&r, 2) == &b && relay_next(&r, 0) == &c);
	cr_assert(relay_take(&r, a.session, 1, RELAY_ALL) == &c && !relay_take(&r, a.session, 1, RELAY_ALL));
	cr_assert(relay_take(&r, alike.session, 1, RELAY_ALL) == &alike &&
		  relay_take(&r, other.session, 1, RELAY_ALL) == &other);
	cr_assert(r.count == 0 && r.by_name.count == 0);
	relay_deinit(&r);
	assert_no_leak();
}

Test(relay, what_is_said_of_an_answer_decides_whose_it_is)
{
	struct relay r;
	struct relayed a = item(7, 1, 1, 1);
	a.asks = true;
	relay_init(&r, 1);
	cr_assert(relay_add(&r, &a) == 0 && relay_next(&r, 0) == &a);
	cr_assert(!relay_take(&r, a.session, 1, RELAY_SENDS), "late, of one that was sent before");
	cr_assert(relay_take(&r, a.session, 1, RELAY_ASKS) == &a);
	relay_deinit(&r);
}

/* Nobody can keep a session's owner waiting by a name that he made up. */
Test(relay, a_strange_one_lets_others_of_its_name_pass)
{
	struct relay r;
	struct relayed forged = item(7, 1, 1, 1), own = item(7, 1, 1, 2);
	relay_init(&r, 1);
	cr_assert(relay_add(&r, &forged) == 0 && relay_add(&r, &own) == 0);
	cr_assert(relay_next(&r, 0) == &forged && !relay_is_strange(&r, own.session, 1));
	cr_assert(relay_next(&r, 0) == &own && relay_take(&r, own.session, 1, RELAY_ALL) == &own);
	cr_assert(relay_next(&r, 0) == &forged && !relay_is_strange(&r, own.session, 1) &&
		  relay_is_strange(&r, own.session, 1));
	cr_assert(relay_take(&r, own.session, 1, RELAY_ALL) == &forged && r.count == 0);
	relay_deinit(&r);
	assert_no_leak();
}

Test(relay, gives_up_on_a_session_that_nobody_issued)
{
	struct relay r;
	struct relayed a = item(7, 1, 1, 1);
	relay_init(&r, 1);
	cr_assert(relay_add(&r, &a) == 0);
	cr_assert(!relay_is_strange(&r, a.session, 1) && !relay_is_strange(&r, a.session, 1) &&
		  relay_is_strange(&r, a.session, 1));
	cr_assert(!relay_is_strange(&r, a.session, 2), "no such batch");
	relay_deinit(&r);
}

Test(relay, an_answer_to_a_question_is_none_to_who_sends)
{
	struct relay r;
	struct relayed asks = item(7, 1, 1, 1), sends = item(7, 1, 2, 2);
	relay_init(&r, 1);
	asks.asks = true;
	cr_assert(relay_add(&r, &asks) == 0 && relay_add(&r, &sends) == 0);
	cr_assert(!relay_take(&r, asks.session, 1, RELAY_SENDS) &&
		  !relay_take(&r, asks.session, 2, RELAY_ASKS));
	cr_assert(!relay_take(&r, asks.session, 3, RELAY_SENDS) &&
		  !relay_take(&r, asks.session, 3, RELAY_ASKS) &&
		  !relay_take(&r, asks.session, 3, RELAY_ALL));
	cr_assert(relay_take(&r, asks.session, 2, RELAY_SENDS) == &sends);
	cr_assert(relay_take(&r, asks.session, 1, RELAY_ALL) == &asks, "which tells both");
	relay_deinit(&r);
}

Test(relay, has_a_limit)
{
	static struct relayed items[LIMIT_RELAYED + 1];
	struct relay r;
	relay_init(&r, 1);
	for (uint64_t i = 0; i <= LIMIT_RELAYED; i++) {
		items[i] = item(7, 1, i + 1, i + 1);
		cr_assert(relay_add(&r, &items[i]) == (i < LIMIT_RELAYED ? KUDOS_OK : KUDOS_BUSY));
	}
	relay_deinit(&r);
}

Test(relay, finds_the_lowest_that_is_on_its_way)
{
	struct relay r;
	struct relayed five = item(7, 1, 5, 1), three = item(7, 1, 3, 2), nine = item(7, 1, 9, 3),
		       other = item(8, 1, 1, 4), two = item(7, 1, 2, 5);
	const struct session s = {7, 1};
	relay_init(&r, 1);
	cr_assert(relay_lowest(&r, s, 1, 100) == 0);
	cr_assert(relay_add(&r, &five) == 0 && relay_add(&r, &three) == 0 &&
		  relay_lowest(&r, s, 1, 100) == 3);
	cr_assert(relay_next(&r, 0) == &five && relay_next(&r, 0) == &three &&
		  relay_lowest(&r, s, 1, 100) == 3);
	cr_assert(relay_add(&r, &nine) == 0 && relay_add(&r, &other) == 0);
	cr_assert(relay_lowest(&r, s, 1, 100) == 3 && relay_lowest(&r, s, 3, 3) == 3);
	cr_assert(relay_lowest(&r, s, 4, 100) == 5 && relay_lowest(&r, s, 6, 100) == 9);
	cr_assert(relay_lowest(&r, s, 1, 2) == 0 && relay_lowest(&r, s, 4, 4) == 0 &&
		  relay_lowest(&r, s, 10, 12) == 0);
	cr_assert(relay_add(&r, &two) == 0 && relay_lowest(&r, s, 1, 100) == 2);
	cr_assert(relay_take(&r, s, 9, RELAY_ALL) == &nine && relay_add(&r, &nine) == 0);
	cr_assert(relay_lowest(&r, s, 1, 100) == 2, "though it came last");
	relay_deinit(&r);
}

/* Random steps: whoever is there is sent within the time, and nobody else. */
Test(relay, is_a_set_that_is_gone_through)
{
	static struct relayed items[64];
	bool there[64] = {false};
	struct relay r;
	struct random random;
	int64_t now = 0;
	random_seed(&random, 1);
	relay_init(&r, 1);
	for (size_t step = 0; step < 20000; step++) {
		size_t i = random_below(&random, 64);
		now += (int64_t)random_below(&random, 100) * MS;
		switch (random_below(&random, 5)) {
		case 0:
			if (there[i])
				break;
			items[i] = item(1 + i % 3, 1 + i % 5, 1 + i, 1 + i);
			cr_assert(relay_add(&r, &items[i]) == 0);
			there[i] = true;
			break;
		case 1:
			cr_assert((relay_take(&r, (struct session){1 + i % 3, 1 + i % 5}, 1 + i, RELAY_ALL) !=
				   NULL) == there[i]);
			there[i] = false;
			break;
		case 2:
			cr_assert((relay_take_id(&r, 1 + i) != NULL) == there[i]);
			there[i] = false;
			break;
		case 3:
			if (random_below(&random, 20) == 0)
				relay_all_due(&r);
			break;
		default:
			for (struct relayed *next; (next = relay_next(&r, now));)
				cr_assert(there[next - items]);
			for (size_t k = 0; k < 64; k++)
				cr_assert(!there[k] || now - items[k].sent_at < 1100 * MS);
		}
	}
	relay_deinit(&r);
	assert_no_leak();
}
