/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "core/members.h"
#include "unit/random.h"

static struct member member(uint64_t node, int64_t since, bool forgotten)
{
	struct member m = {
	    .node = {node}, .origin = {node * 10 + (uint64_t)since}, .since = since, .forgotten = forgotten};
	snprintf(m.name, sizeof m.name, "s%llu-%lld", (unsigned long long)node, (long long)since);
	return m;
}

static int add(struct members *m, uint64_t node, int64_t since, bool forgotten)
{
	struct member row = member(node, since, forgotten);
	return members_add(m, &row);
}

Test(members, finds_what_was_added_in_node_order)
{
	struct members m = {0};
	cr_assert_null(members_find(&m, (struct node){1}));
	for (uint64_t i = 20; i > 0; i--)
		cr_assert(add(&m, i * 3, 1, false) == 1);
	for (size_t i = 1; i < m.count; i++)
		cr_assert(m.list[i - 1].node.id < m.list[i].node.id);
	for (uint64_t i = 1; i <= 20; i++)
		cr_assert(members_find(&m, (struct node){i * 3})->node.id == i * 3);
	cr_assert_null(members_find(&m, (struct node){4}));
	members_deinit(&m);
	cr_assert(m.count == 0 && m.list == NULL);
}

Test(members, newer_attributes_replace_older_ones)
{
	struct members m = {0};
	cr_assert(add(&m, 1, 5, false) == 1);
	cr_assert(add(&m, 1, 4, false) == 0);
	cr_assert_str_eq(m.list[0].name, "s1-5");
	struct member same_age = member(1, 5, false);
	same_age.name[0] = 'x';
	cr_assert(members_add(&m, &same_age) == 0);
	cr_assert_str_eq(m.list[0].name, "s1-5");
	cr_assert(add(&m, 1, 6, false) == 2);
	cr_assert_str_eq(m.list[0].name, "s1-6");
	members_deinit(&m);
}

Test(members, digest_is_of_runs_too_and_of_no_other_attribute)
{
	struct members m = {0};
	struct member row = member(1, 5, false);
	members_add(&m, &row);
	uint64_t digest = members_digest(&m);
	row.since++;
	row.name[0] = 'x';
	row.secret.bytes[0] = 1;
	cr_assert(members_add(&m, &row) == 2 && members_digest(&m) == digest);
	row.since++;
	row.origin.id++;
	cr_assert(members_add(&m, &row) == 2 && members_digest(&m) != digest);
	row.forgotten = true;
	members_add(&m, &row);
	digest = members_digest(&m);
	row.since++;
	row.origin.id++;
	cr_assert(members_add(&m, &row) == 2 && members_digest(&m) == digest, "none of a forgotten node");
	members_deinit(&m);
}

Test(members, those_beyond_the_limit_are_left_out)
{
	struct members m = {0};
	struct member rows[2] = {member(5, 1, false), member(6, 1, false)};
	for (uint64_t i = 0; i < LIMIT_MEMBERS - 1; i++)
		cr_assert(add(&m, 100 + i, 1, false) == 1);
	cr_assert(members_merge(&m, rows, 2) == 1 && m.count == LIMIT_MEMBERS);
	cr_assert(members_merge(&m, &rows[1], 1) == 0 && m.count == LIMIT_MEMBERS, "is no error, nor news");
	members_deinit(&m);
}

Test(members, a_secret_is_never_lost)
{
	struct members m = {0};
	struct member row = member(1, 5, false);
	cr_assert(members_add(&m, &row) == 1 && secret_is_none(&m.list[0].secret));
	row.secret.bytes[15] = 3;
	cr_assert(members_add(&m, &row) == 2, "of a node that is known already, and of the same age");
	cr_assert(members_add(&m, &row) == 0);
	cr_assert(add(&m, 1, 6, false) == 2 && m.list[0].secret.bytes[15] == 3, "a newer row without one");
	row.secret.bytes[15] = 2;
	cr_assert(members_add(&m, &row) == 0 && m.list[0].secret.bytes[15] == 3, "of two the higher");
	row.secret.bytes[15] = 4;
	row.forgotten = true;
	cr_assert(members_add(&m, &row) == 1 && m.list[0].secret.bytes[15] == 4 && m.list[0].since == 6);
	members_deinit(&m);
}

Test(members, forgetting_is_never_undone)
{
	struct members m = {0};
	add(&m, 1, 5, false);
	uint64_t digest = members_digest(&m);
	cr_assert(add(&m, 1, 3, true) == 1, "also when told by an older row");
	cr_assert(m.list[0].forgotten);
	cr_assert(m.list[0].since == 5);
	cr_assert(members_digest(&m) != digest);
	cr_assert(add(&m, 1, 9, false) == 2);
	cr_assert(m.list[0].forgotten);
	cr_assert(add(&m, 2, 1, true) == 1);
	cr_assert(members_alive(&m) == 0);
	add(&m, 3, 1, false);
	cr_assert(members_alive(&m) == 1);
	members_deinit(&m);
}

Test(members, of_two_runs_of_the_same_age_all_settle_on_one)
{
	struct member rows[] = {member(1, 5, false), member(1, 5, false)};
	rows[1].origin.id++;
	for (int first = 0; first < 2; first++) {
		struct members m = {0};
		members_add(&m, &rows[first]);
		cr_assert(members_add(&m, &rows[1 - first]) == (first == 0 ? 2 : 0));
		cr_assert(origin_equal(m.list[0].origin, rows[1].origin));
		members_deinit(&m);
	}
}

Test(members, merge_tells_the_strongest_change)
{
	struct members m = {0};
	struct member rows[] = {member(1, 1, false), member(2, 1, false)};
	cr_assert(members_merge(&m, rows, 2) == 1);
	cr_assert(members_merge(&m, rows, 2) == 0);
	rows[1].since = 2;
	cr_assert(members_merge(&m, rows, 2) == 2);
	rows[0].since = 3;
	rows[1].forgotten = true;
	cr_assert(members_merge(&m, rows, 2) == 1, "1 after 2");
	rows[0].forgotten = true;
	rows[1].since = 9;
	cr_assert(members_merge(&m, rows, 2) == 1, "2 after 1");
	cr_assert(members_merge(&m, NULL, 0) == 0);
	members_deinit(&m);
}

Test(members, refuses_rows_over_the_limit)
{
	struct members m = {0};
	for (uint64_t i = 1; i <= LIMIT_MEMBERS; i++)
		cr_assert(add(&m, i, 1, false) == 1);
	cr_assert(add(&m, LIMIT_MEMBERS + 1, 1, false) == -E2BIG);
	cr_assert(m.count == LIMIT_MEMBERS);
	cr_assert(add(&m, 7, 2, true) == 1, "what is known can still change");
	const struct member rows[] = {{.node = {LIMIT_MEMBERS + 1}, .since = 1},
				      {.node = {8}, .since = 1, .forgotten = true}};
	cr_assert(members_merge(&m, rows, 2) == 1 && m.count == LIMIT_MEMBERS);
	cr_assert(members_find(&m, (struct node){8})->forgotten, "a row behind one too many");
	members_deinit(&m);
}

/* The digest goes over the network: these values must never change. */
Test(members, digest_is_the_same_on_every_machine)
{
	struct members m = {0};
	cr_assert(members_digest(&m) == 0);
	add(&m, 1, 1, false);
	add(&m, UINT64_C(0x0123456789abcdef), 1, true);
	cr_assert(members_digest(&m) == UINT64_C(0x3003d7c8891df46b), "0x%016llx",
		  (unsigned long long)members_digest(&m));
	members_deinit(&m);
}

/* Merging is a union: in whatever order and how often rows arrive, all end equal. */
Test(members, merges_converge_in_any_order)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct random r;
		struct members m[2] = {0};
		struct member rows[24];
		random_seed(&r, seed);
		for (size_t i = 0; i < 24; i++)
			rows[i] = member(1 + random_below(&r, 8), (int64_t)random_below(&r, 4),
					 random_below(&r, 6) == 0);
		for (size_t i = 0; i < 24; i++)
			members_add(&m[0], &rows[i]);
		for (size_t i = 0; i < 200; i++)
			members_add(&m[1], &rows[random_below(&r, 24)]);
		members_merge(&m[1], m[0].list, m[0].count);
		cr_assert(members_digest(&m[0]) == members_digest(&m[1]), "seed %llu",
			  (unsigned long long)seed);
		cr_assert(members_merge(&m[0], m[1].list, m[1].count) == 0, "seed %llu",
			  (unsigned long long)seed);
		members_deinit(&m[0]);
		members_deinit(&m[1]);
	}
}

Test(members, copies)
{
	struct members m = {0}, copy = {0};
	cr_assert(members_copy(&copy, &m) == 0);
	for (uint64_t i = 1; i <= 9; i++)
		add(&m, i, 1, i == 4);
	add(&copy, 100, 1, false);
	cr_assert(members_copy(&copy, &m) == 0);
	cr_assert(copy.count == 9 && members_digest(&copy) == members_digest(&m));
	cr_assert_null(members_find(&copy, (struct node){100}));
	members_deinit(&m);
	members_deinit(&copy);
}
