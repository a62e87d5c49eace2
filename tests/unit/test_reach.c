/* SPDX-License-Identifier: MIT */
/* What a server takes its peers to hold, message by message and page by page. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/heard.h"
#include "core/reach.h"
#include "core/replica.h"
#include "kudos.h"
#include "unit/leak.h"

#define SELF 10 /* node; its origin is 1 */
#define PEER 20 /* node; its origin is 2; and 21, 3 */

struct world {
	struct replica r;
	int64_t now;
	uint64_t serial;
	unsigned done[ACTION_MEMBERS + 1];
	struct action last[ACTION_MEMBERS + 1];
};

static void carry_out(struct world *w)
{
	struct action a;
	memset(w->done, 0, sizeof w->done);
	while (replica_next(&w->r, &a)) {
		record_unref(a.record);
		w->done[a.type]++;
		w->last[a.type] = a;
		if (a.type == ACTION_COMMIT)
			cr_assert(replica_committed(&w->r, w->now) == 0);
	}
}

static void start(struct world *w)
{
	struct member rows[2] = {{.node = {PEER}, .origin = {2}, .since = 1},
				 {.node = {PEER + 1}, .origin = {3}, .since = 1}};
	*w = (struct world){.now = 100 * SECOND};
	struct replica_config config = {
	    .self = {.node = {SELF}, .origin = {1}, .since = 1}, .seed = 1, .gaps = 3, .alone = true};
	cr_assert(replica_init(&w->r, &config, w->now, true, rows, 2) == 0);
	cr_assert(replica_flush(&w->r) == 0);
	carry_out(w);
}

static void stop(struct world *w)
{
	replica_deinit(&w->r);
	assert_no_leak();
}

static struct peer *peer(struct world *w, uint64_t node)
{
	return peers_find(&w->r.peers, (struct node){node});
}

static void set(struct vector *v, uint64_t origin, uint64_t lsn)
{
	cr_assert(vector_set(v, (struct origin){origin}, lsn) == 0);
}

static uint64_t get(const struct vector *v, uint64_t origin)
{
	return vector_get(v, (struct origin){origin});
}

/* What node PEER says: its whole vector, of which it shows the first so many positions. */
static struct vector_message message(struct world *w, const struct vector *whole, size_t shown)
{
	static struct position at[16];
	struct vector_walk walk = {0};
	struct vector_message m = {.node = {PEER},
				   .origin = {2},
				   .serial = ++w->serial,
				   .digest = w->r.membership.digest,
				   .all = whole->digest,
				   .serving = true,
				   .at = at};
	while (m.count < shown && vector_next(whole, &walk, &at[m.count]))
		m.count++;
	return m;
}

static void hear(struct world *w, struct vector_message m)
{
	cr_assert(replica_vector(&w->r, w->now, &m) == 0);
	carry_out(w);
}

Test(reach, a_message_that_shows_all_is_exact)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	set(&v, 2, 4);
	set(&v, 7, 1);
	hear(&w, message(&w, &v, 9));
	struct peer *p = peer(&w, PEER);
	cr_assert(p->exact && p->confirmed && p->vouched && p->has_sample && p->serving);
	cr_assert(get(&p->vector, 2) == 4 && get(&p->target, 7) == 1 && get(&p->sample, 2) == 4);
	cr_assert(p->heard == w.now && p->digest == w.r.membership.digest && p->all == v.digest);
	struct log *log = logs_find(&w.r.logs, (struct origin){2});
	cr_assert(log->owner.id == PEER && log->known == 4);
	set(&v, 2, 6);
	hear(&w, message(&w, &v, 1));
	cr_assert(p->exact && get(&p->vector, 2) == 6, "the rest was known");
	cr_assert(get(&p->target, 2) == 4 && get(&p->sample, 2) == 4, "what is to be reached stays");
	w.serial -= 2;
	hear(&w, message(&w, &(struct vector){0}, 0));
	cr_assert(p->exact && get(&p->vector, 2) == 6, "late");
	vector_deinit(&v);
	stop(&w);
}

Test(reach, what_nobody_has_is_looked_for_at_peers_alone)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	struct peer *list = realloc(w.r.peers.list, w.r.peers.count * sizeof *list); /* no room behind them */
	cr_assert(list);
	w.r.peers.list = list;
	set(&v, 7, 1);
	set(&v, 8, 1);
	hear(&w, message(&w, &v, 1));
	cr_assert(!peer(&w, PEER)->exact);
	vector_deinit(&v);
	stop(&w);
}

Test(reach, what_another_has_just_so_need_not_be_shown)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	for (uint64_t origin = 4; origin < 9; origin++)
		set(&v, origin, origin);
	cr_assert(vector_copy(&w.r.v, &v) == 0);
	hear(&w, message(&w, &v, 1));
	cr_assert(peer(&w, PEER)->exact && get(&peer(&w, PEER)->vector, 8) == 8, "this server's own");
	set(&w.r.v, 50, 1);
	set(&v, 60, 1);
	set(&v, 61, 1);
	cr_assert(vector_copy(&peer(&w, PEER + 1)->vector, &v) == 0);
	struct vector_message m = message(&w, &v, 1);
	hear(&w, m);
	struct log *log = logs_find(&w.r.logs, (struct origin){61});
	cr_assert(peer(&w, PEER)->exact && get(&peer(&w, PEER)->vector, 61) == 1 && log && log->known == 1,
		  "the other's, of which all is learnt");
	vector_deinit(&v);
	stop(&w);
}

Test(reach, equal_vectors_share_what_is_long)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	for (uint64_t origin = 4; origin < 14; origin++) {
		set(&v, origin, 1);
		set(&w.r.v, origin, 1);
	}
	hear(&w, message(&w, &v, 16));
	cr_assert(w.r.v.base && peer(&w, PEER)->vector.base == w.r.v.base);
	vector_deinit(&v);
	stop(&w);
}

Test(reach, what_is_not_shown_is_asked_for_in_pages)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	for (uint64_t origin = 4; origin < 8; origin++)
		set(&v, origin, 1);
	hear(&w, message(&w, &v, 1));
	struct peer *p = peer(&w, PEER);
	cr_assert(!p->exact && !p->confirmed && !p->has_sample && w.done[ACTION_REACH] == 0,
		  "the next may tell");
	w.now += 100 * MS - 1;
	cr_assert(replica_ask_reach(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_REACH] == 0);
	w.now++;
	cr_assert(replica_ask_reach(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_REACH] == 1 && w.last[ACTION_REACH].node.id == PEER &&
		  w.last[ACTION_REACH].origin.id == 0);
	w.now += 500 * MS - 1;
	hear(&w, message(&w, &v, 1));
	cr_assert(w.done[ACTION_REACH] == 0,
		  "it has time to answer, and is not asked sooner for being heard");
	w.now++;
	cr_assert(replica_ask_reach(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_REACH] == 1, "again");

	const struct position first[] = {{{4}, 1}, {{5}, 1}}, second[] = {{{6}, 1}, {{7}, 1}};
	const struct origin none = {0}, five = {5};
	cr_assert(replica_reached_by(&w.r, w.now, (struct node){99}, (struct origin){2}, none, first, 2, 0) ==
		  0);
	cr_assert(replica_reached_by(&w.r, w.now, p->node, (struct origin){3}, none, first, 2, 0) == 0);
	cr_assert(replica_reached_by(&w.r, w.now, p->node, (struct origin){2}, five, second, 2, 0) == 0);
	carry_out(&w);
	cr_assert(get(&p->vector, 6) == 0 && p->after.id == 0 && w.done[ACTION_REACH] == 0,
		  "of another run, and not what was asked for");
	cr_assert(replica_reached_by(&w.r, w.now, p->node, (struct origin){2}, none, first, 2, 0) == 0);
	carry_out(&w);
	cr_assert(get(&p->vector, 5) == 1 && w.done[ACTION_REACH] == 1 && w.last[ACTION_REACH].origin.id == 5,
		  "the next page at once");
	cr_assert(replica_reached_by(&w.r, w.now, p->node, (struct origin){2}, five, second, 2, true) == 0);
	carry_out(&w);
	cr_assert(get(&p->vector, 7) == 1 && p->after.id == 0 && w.done[ACTION_REACH] == 0);
	cr_assert(p->ask_at == w.now + 100 * MS,
		  "from the beginning, unless the next message says that it is whole");
	struct log *log = logs_find(&w.r.logs, (struct origin){7});
	cr_assert((log && log->known == 1) || w.r.snapshot.wanted, "learnt");
	hear(&w, message(&w, &v, 1));
	cr_assert(p->exact && p->confirmed && get(&p->target, 7) == 1);
	set(&v, 4, 9);
	hear(&w, message(&w, &v, 1));
	cr_assert(replica_reached_by(&w.r, w.now, p->node, (struct origin){2}, none, first, 2, 0) == 0);
	cr_assert(get(&p->vector, 4) == 9 && p->exact, "late: all is known, and nothing is lowered");
	vector_deinit(&v);
	stop(&w);
}

Test(reach, an_older_page_lowers_nothing_and_an_empty_one_is_the_last)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	for (uint64_t origin = 4; origin < 8; origin++)
		set(&v, origin, 5);
	hear(&w, message(&w, &v, 1));
	struct peer *p = peer(&w, PEER);
	const struct position old[] = {{{4}, 1}, {{5}, 2}};
	const struct origin none = {0}, five = {5};
	cr_assert(replica_reached_by(&w.r, w.now, p->node, p->origin, none, old, 2, false) == 0);
	cr_assert(get(&p->vector, 4) == 5 && get(&p->vector, 5) == 2 && p->after.id == 5);
	cr_assert(replica_reached_by(&w.r, w.now, p->node, p->origin, five, NULL, 0, false) == 0);
	cr_assert(p->after.id == 0 && p->ask_at == w.now + 100 * MS);
	vector_deinit(&v);
	stop(&w);
}

Test(reach, who_is_silent_is_not_asked)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	set(&v, 4, 1);
	set(&v, 5, 1);
	hear(&w, message(&w, &v, 1));
	w.now += 1500 * MS;
	cr_assert(replica_ask_reach(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_REACH] == 0);
	vector_deinit(&v);
	stop(&w);
}

Test(reach, what_was_said_under_another_membership_is_no_sample)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	set(&v, 2, 1);
	struct vector_message m = message(&w, &v, 1);
	m.digest++;
	hear(&w, m);
	struct peer *p = peer(&w, PEER);
	cr_assert(p->exact && !p->has_sample && !p->confirmed && w.done[ACTION_TELL_MEMBERS] == 1);
	w.now += 200 * MS - 1;
	m.serial = ++w.serial;
	hear(&w, m);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 0, "told a moment ago");
	w.now++;
	m.serial = ++w.serial;
	hear(&w, m);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 1);
	m = message(&w, &v, 1);
	w.now += SECOND;
	hear(&w, m);
	cr_assert(p->has_sample && p->confirmed && w.done[ACTION_TELL_MEMBERS] == 0);
	vector_deinit(&v);
	stop(&w);
}

Test(reach, who_catches_up_confirms_and_vouches_later)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	set(&v, 2, 1);
	struct vector_message m = message(&w, &v, 1);
	m.serving = false;
	hear(&w, m);
	struct peer *p = peer(&w, PEER);
	cr_assert(p->confirmed && !p->vouched && !p->has_sample && get(&p->target, 2) == 1);
	set(&v, 2, 2);
	m = message(&w, &v, 1);
	m.serving = false;
	hear(&w, m);
	cr_assert(get(&p->target, 2) == 1, "nothing new");
	hear(&w, message(&w, &v, 1));
	cr_assert(p->vouched && p->has_sample && get(&p->target, 2) == 2, "it can tell now what there is");
	peers_expect_confirmations(&w.r.peers);
	w.r.ready.phase = PHASE_SERVING;
	set(&v, 2, 3);
	hear(&w, message(&w, &v, 1));
	cr_assert(!p->confirmed && get(&p->target, 2) == 2, "who serves waits for nothing");
	vector_deinit(&v);
	stop(&w);
}

Test(reach, a_new_run_begins_with_nothing)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	set(&v, 2, 5);
	hear(&w, message(&w, &v, 1));
	struct peer *p = peer(&w, PEER);
	struct vector_message m = message(&w, &(struct vector){0}, 0);
	m.origin.id = 9;
	m.all = 12345; /* of a vector that is not known */
	hear(&w, m);
	cr_assert(p->origin.id == 2 && get(&p->vector, 2) == 5 && w.done[ACTION_TELL_MEMBERS] == 1,
		  "it is not known to be the newest");
	struct member newer = {.node = {PEER}, .origin = {9}, .since = 2};
	cr_assert(replica_members(&w.r, w.now, (struct node){0}, &newer, 1) == 0);
	cr_assert(replica_flush(&w.r) == 0);
	carry_out(&w);
	p = peer(&w, PEER);
	m.serial = 1;
	m.digest = w.r.membership.digest;
	hear(&w, m);
	cr_assert(p->origin.id == 9 && get(&p->vector, 2) == 0 && !p->exact && p->after.id == 0);
	cr_assert(p->ask_at == w.now + 100 * MS);
	m.node.id = 99;
	hear(&w, m);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 0, "nobody");
	vector_deinit(&v);
	stop(&w);
}

Test(reach, too_many_origins_are_left_for_later)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	for (uint64_t origin = 30; origin < 40; origin++)
		set(&v, origin, 1);
	hear(&w, message(&w, &v, 16));
	cr_assert(w.r.snapshot.wanted && replica_logs_full(&w.r) &&
		  logs_find(&w.r.logs, (struct origin){30}) && !logs_find(&w.r.logs, (struct origin){39}));
	vector_deinit(&v);
	stop(&w);
	start(&w);
	set(&w.r.v, 34, 1);
	set(&w.r.v, 35, 1);
	set(&peer(&w, PEER)->vector, 34, 2);
	set(&peer(&w, PEER)->vector, 35, 1);
	cr_assert(replica_learn_all(&w.r, w.now) == 0 && !logs_find(&w.r.logs, (struct origin){34}),
		  "who is away is left out");
	peer(&w, PEER)->heard = w.now;
	cr_assert(replica_learn_all(&w.r, w.now) == 0);
	struct log *log = logs_find(&w.r.logs, (struct origin){34});
	cr_assert(log && log->known == 2 && !logs_find(&w.r.logs, (struct origin){35}),
		  "what is here is not missing");
	vector_deinit(&v);
	stop(&w);
}

Test(reach, its_own_vector_is_told_as_asked)
{
	struct world w;
	const struct position own[] = {{{30}, 1}, {{31}, 1}, {{32}, 1}};
	struct position at[4];
	bool last;
	size_t count;
	start(&w);
	cr_assert(replica_load_vector(&w.r, own, 3) == 0 && replica_loaded(&w.r) == 0);
	cr_assert(replica_reach(&w.r, (struct origin){0}, at, 4, &last) == 3 && last);
	cr_assert(replica_reach(&w.r, (struct origin){0}, at, 3, &last) == 3 && last);
	cr_assert(replica_reach(&w.r, (struct origin){0}, at, 2, &last) == 2 && !last &&
		  at[1].origin.id == 31);
	cr_assert(replica_reach(&w.r, (struct origin){31}, at, 4, &last) == 1 && last);
	cr_assert(replica_reach(&w.r, (struct origin){40}, at, 4, &last) == 0 && last);
	struct vector_message m = replica_vector_message(&w.r);
	cr_assert(m.count == 3 && !m.serving && m.all == w.r.v.digest && m.digest == w.r.membership.digest);
	w.r.config.told = 2;
	w.r.ready.phase = PHASE_DRAINING;
	uint64_t serial = m.serial;
	m = replica_vector_message(&w.r);
	cr_assert(m.count == 2 && m.serving && m.serial == serial + 1);
	cr_assert(replica_recent(&w.r, &count) && count == 3, "clients are told all of it");
	stop(&w);
}

Test(reach, what_a_peer_reached_is_acknowledged)
{
	struct world w;
	struct vector v = {0};
	start(&w);
	w.r.ready.phase = PHASE_SERVING;
	set(&w.r.v, 1, 1);
	set(&v, 1, 1);
	cr_assert(waiters_add(&w.r.waiters,
			      (struct waiter){.client = 5, .session = {7, 1}, .seq = 1, .lsn = 1}) == 0);
	w.r.config.ack_peers = 1;
	hear(&w, message(&w, &(struct vector){0}, 0));
	cr_assert(w.done[ACTION_ACK] == 0);
	hear(&w, message(&w, &v, 1));
	cr_assert(w.done[ACTION_ACK] == 1 && w.r.waiters.count == 0);
	vector_deinit(&v);
	stop(&w);
}
