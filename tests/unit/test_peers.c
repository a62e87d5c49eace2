/* SPDX-License-Identifier: MIT */
#include "core/peers.h"

#include <criterion/criterion.h>

#include "base/time.h"

static const struct node SELF = {1};

struct world {
	struct members members;
	struct peers peers; /* node 2 and node 3, of whom records are known, and node 4 */
};

static struct world begin(void)
{
	struct world w = {0};
	for (uint64_t node = 1; node <= 4; node++)
		cr_assert(members_add(&w.members, &(struct member){.node = {node}}) == 1);
	cr_assert(peers_match(&w.peers, &w.members, SELF) == 0 && w.peers.count == 3);
	for (uint64_t node = 2; node <= 3; node++)
		cr_assert(vector_set(&peers_find(&w.peers, (struct node){node})->vector, (struct origin){7},
				     node) == 0);
	return w;
}

static void end(struct world *w)
{
	peers_deinit(&w->peers);
	members_deinit(&w->members);
}

Test(peers, are_the_living_members_but_itself_and_keep_what_is_known_of_them)
{
	struct world w = begin();
	cr_assert(!peers_find(&w.peers, SELF) && !peers_find(&w.peers, (struct node){5}));
	members_find(&w.members, (struct node){2})->forgotten = true;
	cr_assert(members_add(&w.members, &(struct member){.node = {5}}) == 1);
	cr_assert(peers_match(&w.peers, &w.members, SELF) == 0 && w.peers.count == 3);
	cr_assert(!peers_find(&w.peers, (struct node){2}));
	cr_assert(vector_get(&peers_find(&w.peers, (struct node){3})->vector, (struct origin){7}) == 3);
	cr_assert(vector_size(&peers_find(&w.peers, (struct node){5})->vector) == 0);
	end(&w);
}

Test(peers, one_is_in_reach_for_a_second_and_a_half_after_it_was_heard)
{
	struct peer p = {0};
	cr_assert(!peer_reachable(&p, 1), "never heard");
	p.heard = 10 * SECOND;
	cr_assert(peer_reachable(&p, 10 * SECOND) && peer_reachable(&p, 11 * SECOND + 500 * MS - 1));
	cr_assert(!peer_reachable(&p, 11 * SECOND + 500 * MS));
}

Test(peers, are_asked_what_is_in_the_way_of_serving)
{
	struct world w = begin();
	struct peer *p = w.peers.list;
	const struct vector none = {0};
	struct survey s = peers_survey(&w.peers, &none, SECOND);
	cr_assert(s.missing == w.peers.count && !s.unconfirmed && s.served == 0, "none is in reach");
	p->heard = SECOND;
	p[1].vouched = p[1].serving = true; /* … which is not */
	s = peers_survey(&w.peers, &none, SECOND);
	cr_assert(s.missing == w.peers.count - 1 && s.unconfirmed && s.served == 0);
	cr_assert(!s.vouched && !s.serving && !s.ahead);
	p->confirmed = p->vouched = true;
	p->all = 1;
	s = peers_survey(&w.peers, &none, SECOND);
	cr_assert(!s.unconfirmed && s.vouched && !s.serving && s.served == 1,
		  "who tells of records has served");
	p->all = 0;
	p->serving = true;
	s = peers_survey(&w.peers, &none, SECOND);
	cr_assert(s.serving && s.served == 1 && !s.ahead);
	cr_assert(vector_set(&p->target, (struct origin){7}, 1) == 0);
	p[1].heard = SECOND;
	p[1].confirmed = true;
	p[1].vouched = p[1].serving = false;
	s = peers_survey(&w.peers, &none, SECOND);
	cr_assert(s.ahead && s.serving && s.vouched && s.served == 1 && s.missing == w.peers.count - 2,
		  "of any");
	p->confirmed = false;
	cr_assert(peers_survey(&w.peers, &none, SECOND).unconfirmed, "of any");
	cr_assert(!peers_survey(&w.peers, &p->target, SECOND).ahead);
	end(&w);
}

Test(peers, one_goes_by_the_same_membership_while_it_serves)
{
	struct peer p = {.all = 1};
	cr_assert(!peer_shares_view(&p, 0));
	p.serving = true;
	cr_assert(peer_shares_view(&p, 0) && !peer_shares_view(&p, 1));
}

Test(peers, what_one_of_them_has_they_have)
{
	struct world w = begin();
	cr_assert(peers_have(&w.peers, (struct position){{7}, 3}));
	cr_assert(!peers_have(&w.peers, (struct position){{7}, 4}) &&
		  !peers_have(&w.peers, (struct position){{8}, 1}));
	end(&w);
}

/* A sample of what the peer says that it has. */
static void sample(struct peer *p, uint64_t lsn)
{
	cr_assert(vector_set(&p->sample, (struct origin){7}, lsn) == 0);
	p->has_sample = true;
}

Test(peers, agree_on_what_each_had_in_a_sample_that_was_reached_here)
{
	struct world w = begin();
	struct vector here = {0};
	for (size_t i = 0; i < 3; i++)
		sample(&w.peers.list[i], 2);
	sample(&w.peers.list[1], 3);
	w.peers.list[1].serving = w.peers.list[1].exact = true;
	cr_assert(vector_set(&here, (struct origin){7}, 2) == 0 &&
		  peers_advance_samples(&w.peers, &here, 0) == 0);
	cr_assert(!peers_covered(&w.peers), "one had more than is here");
	cr_assert(vector_set(&here, (struct origin){7}, 3) == 0 &&
		  peers_advance_samples(&w.peers, &here, 0) == 0);
	cr_assert(peers_covered(&w.peers));
	cr_assert(peers_agree_on(&w.peers, (struct position){{7}, 2}) &&
		  !peers_agree_on(&w.peers, (struct position){{7}, 3}));
	cr_assert(!w.peers.list[0].has_sample && w.peers.list[1].has_sample,
		  "the next: who serves and told all it has");
	peers_drop_samples(&w.peers);
	cr_assert(!peers_covered(&w.peers) && !w.peers.list[1].has_sample);
	vector_deinit(&here);
	end(&w);
}

Test(peers, a_sample_of_another_view_or_of_less_than_all_is_not_taken)
{
	struct world w = begin();
	struct vector here = {0};
	for (size_t i = 0; i < 3; i++) {
		w.peers.list[i].has_sample = w.peers.list[i].exact = w.peers.list[i].serving = true;
		w.peers.list[i].confirmed = w.peers.list[i].vouched = true;
	}
	w.peers.list[0].digest = 1;
	w.peers.list[1].exact = false;
	cr_assert(peers_advance_samples(&w.peers, &here, 0) == 0);
	cr_assert(!w.peers.list[0].has_sample && !w.peers.list[1].has_sample && w.peers.list[2].has_sample);
	peers_expect_confirmations(&w.peers);
	for (size_t i = 0; i < 3; i++)
		cr_assert(!w.peers.list[i].confirmed && !w.peers.list[i].vouched);
	vector_deinit(&here);
	end(&w);
}
