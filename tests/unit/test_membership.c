/* SPDX-License-Identifier: MIT */
#include "core/membership.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "unit/leak.h"

#define SELF 10
#define PEER 20

struct fixture {
	struct membership m;
	struct member self;
};

static struct member row(uint64_t node, uint64_t origin, int64_t since)
{
	return (struct member){.node = {node}, .origin = {origin}, .since = since, .name = "x"};
}

static void commit(struct fixture *f, int expected)
{
	membership_commit(&f->m);
	cr_assert(!f->m.dirty && f->m.committing);
	cr_assert(membership_committed(&f->m) == expected && !f->m.committing && f->m.durable);
}

/* With the peer, all durable and announced. */
static void start(struct fixture *f)
{
	const struct member rows[] = {row(PEER, 2, 1)};
	*f = (struct fixture){.self = row(SELF, 1, 1)};
	cr_assert(membership_init(&f->m, &f->self, rows, 1) == 0);
	cr_assert(f->m.dirty && !f->m.durable && f->m.current.count == 0, "I4");
	cr_assert(!membership_renew_digest(&f->m, 0) && f->m.digest == 0, "who the members are is not yet");
	commit(f, 0);
	cr_assert(f->m.current.count == 2 && membership_renew_digest(&f->m, 0) && membership_settled(&f->m));
}

static void stop(struct fixture *f)
{
	membership_deinit(&f->m);
	assert_no_leak();
}

/* Whether it is in effect at once. */
static bool hear(struct fixture *f, struct member m)
{
	int news = 0;
	cr_assert(membership_hear(&f->m, m, false, &news) == 0);
	int at_once = membership_heard(&f->m, &f->self, news);
	cr_assert(at_once == 0 || at_once == 1);
	return at_once;
}

static uint64_t run_of_peer(const struct fixture *f)
{
	return members_find(&f->m.current, (struct node){PEER})->origin.id;
}

Test(membership, another_run_is_in_effect_at_once_and_nothing_else)
{
	struct fixture f;
	start(&f);
	cr_assert(!hear(&f, row(PEER, 2, 1)) && !f.m.dirty, "nothing new");
	cr_assert(hear(&f, row(PEER, 3, 5)) && run_of_peer(&f) == 3 && f.m.dirty);
	cr_assert(!membership_settled(&f.m));
	cr_assert(!hear(&f, row(PEER, 4, 6)) && run_of_peer(&f) == 3, "with the next commit");
	membership_commit(&f.m);
	cr_assert(!hear(&f, row(PEER, 5, 7)) && run_of_peer(&f) == 3, "more is on its way");
	cr_assert(membership_committed(&f.m) == 0 && run_of_peer(&f) == 5 && f.m.dirty);
	commit(&f, 0);
	cr_assert(!hear(&f, row(40, 9, 1)) && !members_find(&f.m.current, (struct node){40}), "a node");
	commit(&f, 0);
	cr_assert(members_find(&f.m.current, (struct node){40}));
	stop(&f);
}

Test(membership, the_digest_is_of_what_is_in_effect_and_of_who_leaves)
{
	struct fixture f;
	start(&f);
	const uint64_t digest = f.m.digest;
	cr_assert(digest == members_digest(&f.m.current) && !membership_renew_digest(&f.m, 0));
	hear(&f, row(40, 9, 1));
	cr_assert(!membership_renew_digest(&f.m, 0) && !membership_settled(&f.m));
	cr_assert(membership_renew_digest(&f.m, 5) && f.m.digest == digest + 5);
	cr_assert(!membership_renew_digest(&f.m, 5));
	commit(&f, 0);
	cr_assert(membership_renew_digest(&f.m, 0) && f.m.digest == members_digest(&f.m.staged));
	stop(&f);
}

Test(membership, a_commit_tells_whether_nodes_were_forgotten)
{
	struct fixture f;
	struct member gone = row(PEER, 2, 1);
	int news = 0;
	start(&f);
	gone.forgotten = true;
	cr_assert(membership_hear(&f.m, gone, true, &news) == 0 && news == 0, "it leaves: not yet");
	cr_assert(membership_heard(&f.m, &f.self, news) == 0 && !f.m.dirty);
	cr_assert(membership_hear(&f.m, gone, false, &news) == 0 && news == 1);
	cr_assert(membership_heard(&f.m, &f.self, news) == 0 && f.m.dirty);
	cr_assert(members_alive(&f.m.current) == 2);
	commit(&f, 1);
	cr_assert(members_alive(&f.m.current) == 1);
	commit(&f, 0);
	membership_forget(&f.m, (struct node){SELF});
	cr_assert(f.m.dirty && members_find(&f.m.staged, (struct node){SELF})->forgotten);
	commit(&f, 1);
	membership_forget(&f.m, (struct node){99});
	cr_assert(f.m.dirty && f.m.staged.count == 2, "there was no room for its row");
	commit(&f, 0);
	stop(&f);
}

/* Also when there are as many rows as fit into the memory that was taken for them. */
Test(membership, its_own_row_stays_its_own)
{
	struct fixture f;
	struct member own = row(SELF, 99, 50);
	start(&f);
	for (uint64_t i = 0; i < 6; i++)
		hear(&f, row(40 + i, 50 + i, 1));
	cr_assert(f.m.staged.count == 8 && f.m.staged.capacity == 8);
	hear(&f, own);
	const struct member *m = members_find(&f.m.staged, own.node);
	cr_assert(m->origin.id == 1 && m->since == 51);
	own.since = 51; /* as late, and the other origin is the higher */
	hear(&f, own);
	cr_assert(m->origin.id == 1 && m->since == 52);
	own.since = 7;
	hear(&f, own);
	cr_assert(m->since == 52, "not later than need be");
	own.since = INT64_MAX;
	hear(&f, own);
	cr_assert(f.self.since == INT64_MAX);
	stop(&f);
}

Test(membership, a_start_takes_nothing_into_effect_but_that_it_is_forgotten)
{
	struct member rows[2] = {row(SELF, 5, 1), row(PEER, 2, 1)};
	for (int forgotten = 0; forgotten < 2; forgotten++) {
		struct fixture f = {.self = row(SELF, 1, 10)};
		rows[0].forgotten = forgotten;
		cr_assert(membership_init(&f.m, &f.self, rows, 2) == 0);
		cr_assert(f.m.current.count == (forgotten ? 2 : 0) && f.m.staged.count == 2);
		cr_assert(members_find(&f.m.staged, f.self.node)->since == 10, "the clock is right");
		stop(&f);
	}
}

Test(membership, there_is_no_room_for_one_more)
{
	static struct member rows[LIMIT_MEMBERS];
	struct fixture f = {.self = row(SELF, 1, 10)};
	for (uint64_t i = 0; i < LIMIT_MEMBERS; i++)
		rows[i] = row(100 + i, 1, 1);
	cr_assert(membership_init(&f.m, &f.self, rows, LIMIT_MEMBERS) == -E2BIG);
	stop(&f);
}
