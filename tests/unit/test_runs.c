/* SPDX-License-Identifier: MIT */
/* One server ends and starts again and again while another is down: three real replicas that are told each
 * other's messages at once, in memory. A restart takes over what a checkpoint would bring back. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/heard.h"
#include "core/reach.h"
#include "core/repair.h"
#include "core/replica.h"
#include "kudos.h"
#include "unit/counts_help.h"
#include "wire/message.h"

#define SERVERS 3

struct world {
	struct replica servers[SERVERS];
	bool up[SERVERS];
	bool apart[SERVERS][SERVERS]; /* do not hear each other */
	int64_t now;
	uint64_t runs; /* of all */
	uint64_t likes;
	struct map records; /* (origin, lsn) → struct record, a reference */
	size_t most_told;   /* positions in a vector message */
	uint64_t pages, fetches, snapshots;
};

static struct node node_of(int i)
{
	return (struct node){10 + (uint64_t)i};
}

static bool hears(const struct world *w, int i, int k)
{
	return w->up[k] && !w->apart[i][k];
}

static void part(struct world *w, int i, int k, bool apart)
{
	w->apart[i][k] = w->apart[k][i] = apart;
}

static struct replica *server_of(struct world *w, int asker, struct node node)
{
	int i = (int)node.id - 10;
	return i >= 0 && i < SERVERS && hears(w, asker, i) ? &w->servers[i] : NULL;
}

static struct member self(struct world *w, int i)
{
	uint64_t run = ++w->runs;
	return (struct member){.node = node_of(i),
			       .origin = {hash_pair(run, 1, 2) | 1},
			       .since = (int64_t)run,
			       .name = "s",
			       .client_endpoint = {'a', (char)('0' + i)}};
}

static void start(struct world *w, int i, const struct replica_config *limits)
{
	struct replica *r = &w->servers[i];
	struct replica old = *r;
	struct replica_config config = *limits;
	config.self = self(w, i);
	config.seed = 1;
	config.alone = true;
	cr_assert(replica_init(r, &config, w->now, old.ready.established, old.membership.staged.list,
			       old.membership.staged.count) == 0);
	if (w->runs > SERVERS) {
		struct counts counts = r->counts;
		r->counts = old.counts;
		old.counts = counts;
		struct sessions sessions = r->sessions;
		r->sessions = old.sessions;
		old.sessions = sessions;
		cr_assert(vector_copy(&r->v, &old.v) == 0);
		old.actions.head = old.actions.count;
		replica_deinit(&old);
	}
	cr_assert(replica_loaded(r) == 0);
	w->up[i] = true;
}

static void adopt(struct world *w, struct replica *r, const struct replica *from)
{
	struct position at;
	struct vector old = {0};
	cr_assert(from->ready.phase == PHASE_SERVING && vector_copy(&old, &r->v) == 0);
	w->snapshots++;
	replica_unload(r);
	for (struct vector_walk walk = {0}; vector_next(&from->v, &walk, &at);)
		cr_assert(replica_load_vector(r, &at, 1) == 0);
	struct map_slot *slot;
	for (size_t k = 0; (slot = map_next(&from->sessions.seen, &k));) {
		const struct seen *seen = slot->value;
		cr_assert(replica_load_seen(r, seen->session, seen->applied.at, seen->applied.count,
					    seen->closed, w->now) == 0);
	}
	for (size_t k = 0; (slot = map_next(&from->sessions.issuers, &k));) {
		const struct issuer *issuer = slot->value;
		for (size_t n = 0; n < issuer->forgotten.count; n++)
			cr_assert(replica_load_forgotten(r, issuer->id, issuer->forgotten.at[n].lo,
							 issuer->forgotten.at[n].hi) == 0);
	}
	cr_assert(counts_add(&r->counts, "likes", 5, (int32_t)counts_get(&from->counts, "likes", 5)) == 0);
	cr_assert(replica_loaded(r) == 0);
	r->ready.anew = false;
	/* Its own journal above it, if it ever served. */
	for (struct vector_walk walk = {0}; r->ready.established && vector_next(&old, &walk, &at);) {
		for (uint64_t lsn = vector_get(&r->v, at.origin) + 1; lsn <= at.lsn; lsn++)
			cr_assert(replica_replay(r, map_get(&w->records, at.origin.id, lsn), w->now) == 0);
	}
	vector_deinit(&old);
	cr_assert(replica_snapshot_ended(r, w->now) == 0);
}

static void tell_vector(struct world *w, int i)
{
	struct vector_message m = replica_vector_message(&w->servers[i]);
	w->most_told = m.count > w->most_told ? m.count : w->most_told;
	for (int k = 0; k < SERVERS; k++) {
		if (k != i && hears(w, i, k))
			cr_assert(replica_vector(&w->servers[k], w->now, &m) == 0);
	}
}

static void publish(struct world *w, int i, struct record *record)
{
	cr_assert(map_put(&w->records, record->at.origin.id, record->at.lsn, record_ref(record)) == 0);
	for (int k = 0; k < SERVERS; k++) {
		if (k != i && hears(w, i, k))
			cr_assert(replica_record(&w->servers[k], w->now, record, true) == 0);
	}
}

static void fetch(struct world *w, struct replica *r, const struct action *a)
{
	w->fetches++;
	if (!map_get(&w->records, a->origin.id, a->from)) {
		cr_assert(replica_gone(r, w->now, a->node, (struct position){a->origin, a->from}) == 0);
		return;
	}
	for (uint64_t lsn = a->from; lsn <= a->to; lsn++) {
		struct record *record = map_get(&w->records, a->origin.id, lsn);
		if (record)
			cr_assert(replica_record(r, w->now, record, false) == 0);
	}
	cr_assert(replica_fetched(r, w->now, (struct position){a->origin, a->from}) == 0);
}

static void reach(struct world *w, struct replica *r, const struct action *a, const struct replica *of)
{
	static struct position at[1000];
	bool last;
	size_t count = replica_reach(of, a->origin, at, 1000, &last);
	w->pages++;
	cr_assert(
	    replica_reached_by(r, w->now, a->node, of->config.self.origin, a->origin, at, count, last) == 0);
}

/* As a leader pushes it on. */
static void tell_members(struct world *w, int i)
{
	const struct replica *r = &w->servers[i];
	for (int k = 0; k < SERVERS; k++) {
		if (hears(w, i, k))
			cr_assert(replica_members(&w->servers[k], w->now, (struct node){0},
						  r->membership.current.list,
						  r->membership.current.count) == 0);
	}
}

static void act(struct world *w, int i, struct action *a)
{
	struct replica *r = &w->servers[i], *other = server_of(w, i, a->node);
	if (a->type == ACTION_APPEND && !a->record->raw)
		cr_assert(message_encode_record(a->record) == 0);
	else if (a->type == ACTION_COMMIT)
		cr_assert(replica_committed(r, w->now) == 0);
	else if (a->type == ACTION_PUBLISH)
		publish(w, i, a->record);
	else if (a->type == ACTION_PUBLISH_VECTOR)
		tell_vector(w, i);
	else if (a->type == ACTION_MEMBERS)
		tell_members(w, i);
	else if (a->type == ACTION_TELL_MEMBERS && other)
		cr_assert(replica_members(other, w->now, node_of(i), r->membership.current.list,
					  r->membership.current.count) == 0);
	else if (a->type == ACTION_FETCH && other)
		fetch(w, r, a);
	else if (a->type == ACTION_REACH && other)
		reach(w, r, a, other);
	else if (a->type == ACTION_SNAPSHOT && other)
		adopt(w, r, other);
	record_unref(a->record);
}

static void settle(struct world *w, int64_t later)
{
	w->now += later;
	for (int i = 0; i < SERVERS; i++) {
		if (w->up[i])
			cr_assert(replica_tick(&w->servers[i], w->now) == 0);
	}
	for (bool more = true; more;) {
		more = false;
		for (int i = 0; i < SERVERS; i++) {
			struct action a;
			if (!w->up[i])
				continue;
			cr_assert(replica_flush(&w->servers[i]) == 0);
			while (w->up[i] && replica_next(&w->servers[i], &a)) {
				act(w, i, &a);
				more = true;
			}
		}
	}
}

static bool serves(struct world *w, int i)
{
	for (int k = 0; k < 100 && w->servers[i].ready.phase != PHASE_SERVING; k++)
		settle(w, 50 * MS);
	return w->servers[i].ready.phase == PHASE_SERVING;
}

static void like(struct world *w, int i)
{
	struct event event = {"likes", 1, 5};
	struct batch_box *box = message_make_batch((struct session){7, 1}, ++w->likes, &event, 1);
	cr_assert(replica_batch(&w->servers[i], w->now, 1, box) == 0);
	batch_box_unref(box);
}

/* The like, and the vector that tells it. */
static void like_told(struct world *w, int i)
{
	like(w, i);
	settle(w, 10 * MS);
	settle(w, 10 * MS);
}

static void open_world(struct world *w, const struct replica_config *limits)
{
	*w = (struct world){.now = SECOND};
	map_init(&w->records, 1);
	for (int i = 0; i < SERVERS; i++)
		start(w, i, limits);
	for (int i = 0; i < SERVERS; i++) { /* as a leader would */
		for (int k = 0; k < SERVERS; k++)
			cr_assert(replica_members(&w->servers[k], w->now, (struct node){0},
						  w->servers[i].membership.staged.list,
						  w->servers[i].membership.staged.count) == 0);
	}
	for (int i = 0; i < SERVERS; i++) {
		cr_assert(serves(w, i));
		like(w, i);
		settle(w, 20 * MS);
	}
}

static void restart_and_like(struct world *w, int i, int times, const struct replica_config *limits)
{
	for (int k = 0; k < times; k++) {
		w->up[i] = false;
		start(w, i, limits);
		cr_assert(serves(w, i), "run %d waits for %s", k, replica_waits_for(&w->servers[i], w->now));
		like_told(w, i);
	}
}

static void close_world(struct world *w)
{
	struct map_slot *slot;
	for (size_t k = 0; (slot = map_next(&w->records, &k));)
		record_unref(slot->value);
	map_deinit(&w->records);
	for (int i = 0; i < SERVERS; i++)
		replica_deinit(&w->servers[i]);
}

static struct batch_box *make_close(void)
{
	return message_make_batch((struct session){7, 1}, 0, NULL, 0);
}

static void pass(struct world *w, int64_t time)
{
	for (int64_t end = w->now + time; w->now < end;)
		settle(w, 50 * MS);
}

static void all_equal(struct world *w)
{
	for (int i = 0; i < SERVERS; i++) {
		struct replica *r = &w->servers[i];
		struct vector floor = {0};
		cr_assert(serves(w, i), "%d waits for %s", i, replica_waits_for(r, w->now));
		cr_assert(r->v.digest == w->servers[0].v.digest && replica_lag(r) == 0);
		cr_assert(counts_get(&r->counts, "likes", 5) == (int64_t)w->likes);
		for (size_t k = 0; k < r->peers.count; k++)
			cr_assert(r->peers.list[k].exact && r->peers.list[k].vector.base == r->v.base);
		/* Every run is over and done with: its records may leave the journal. */
		cr_assert(replica_floor(r, &r->v, &floor) == 0 && vector_covers(&floor, &r->v));
		vector_deinit(&floor);
	}
}

/* KUDOS_RUNS: how many; 100,000 take half a minute. */
Test(runs, any_number_while_a_member_is_down)
{
	static struct world w;
	const char *wanted = getenv("KUDOS_RUNS");
	int runs = wanted ? atoi(wanted) : 10000;
	const struct replica_config limits = {.grace = 10 * MS};
	open_world(&w, &limits);
	w.up[2] = false;
	settle(&w, 2 * SECOND);
	restart_and_like(&w, 1, runs, &limits);
	for (int i = 0; i < 20; i++)
		settle(&w, 50 * MS);
	struct replica *a = &w.servers[0], *c = &w.servers[2];
	cr_assert(vector_size(&a->v) == (size_t)runs + SERVERS && vector_covers(&w.servers[1].v, &a->v));
	cr_assert(w.most_told <= 64 + 2 * (SERVERS - 1) && a->logs.by_origin.count <= SERVERS + 1);
	cr_assert(a->ready.phase == PHASE_SERVING && w.fetches == 0 && w.snapshots == 0);
	cr_assert(w.pages == 0);
	cr_assert(peers_find(&a->peers, node_of(1))->vector.base == a->v.base);

	start(&w, 2, &limits);
	cr_assert(vector_size(&c->v) == SERVERS);
	for (int i = 0; i < 60; i++)
		settle(&w, 100 * MS);
	cr_assert(w.snapshots == 1);
	all_equal(&w);
	close_world(&w);
}

Test(runs, few_enough_are_fetched)
{
	static struct world w;
	const struct replica_config limits = {.grace = 10 * MS, .told = 3};
	open_world(&w, &limits);
	w.up[2] = false;
	settle(&w, 2 * SECOND);
	restart_and_like(&w, 1, 100, &limits);
	start(&w, 2, &limits);
	for (int i = 0; i < 60; i++)
		settle(&w, 100 * MS);
	cr_assert(w.snapshots == 0 && w.fetches >= 100 && w.pages > 0);
	all_equal(&w);
	close_world(&w);
}

/* Two that were apart lack much of each other's, and none serves to give the other a snapshot. */
Test(runs, many_are_fetched_where_nobody_gives_a_snapshot)
{
	static struct world w;
	const struct replica_config limits = {.grace = 10 * MS, .gaps = 8};
	open_world(&w, &limits);
	for (int i = 1; i < SERVERS; i++) {
		w.up[0] = w.up[1] = w.up[2] = false;
		restart_and_like(&w, i, 40, &limits);
	}
	const struct replica_config patient = {.grace = 2 * SECOND, .gaps = 8};
	for (int i = 0; i < SERVERS; i++) {
		w.up[i] = false;
		start(&w, i, &patient);
	}
	for (int i = 0; i < 200; i++)
		settle(&w, 50 * MS);
	cr_assert(vector_size(&w.servers[0].v) == 83 && w.fetches >= 40, "%d fetched", (int)w.fetches);
	all_equal(&w);
	close_world(&w);
}

Test(runs, over_the_limit_a_new_one_starts_and_takes_no_likes)
{
	static struct world w;
	const struct replica_config limits = {.grace = 10 * MS, .runs = 5};
	open_world(&w, &limits);
	restart_and_like(&w, 1, 2, &limits);
	w.up[1] = false;
	start(&w, 1, &limits);
	cr_assert(!serves(&w, 1));
	cr_assert(strstr(replica_waits_for(&w.servers[1], w.now), "restarts"));
	like(&w, 0); /* who took likes before goes on */
	settle(&w, 20 * MS);
	cr_assert(counts_get(&w.servers[1].counts, "likes", 5) == (int64_t)w.likes);
	close_world(&w);
}

/* The third applied the session's close, which is all that the first waits for. Then its disk is replaced by
 * a copy from before, which is brought up to date by the second, who has not heard of the close either, and
 * takes more of that session. What its earlier run said must not count any more, though the first cannot know
 * of the new one but by the second. */
Test(runs, what_the_run_before_an_old_copy_said_is_not_judged_on)
{
	static struct world w;
	struct replica copy = {0};
	struct replica_config limits = {.grace = 10 * MS};
	open_world(&w, &limits);
	pass(&w, 2 * SECOND);
	limits.self = self(&w, 2);
	cr_assert(replica_init(&copy, &limits, w.now, true, w.servers[2].membership.staged.list,
			       w.servers[2].membership.staged.count) == 0);
	adopt(&w, &copy, &w.servers[2]);

	part(&w, 1, 0, true);
	part(&w, 1, 2, true);
	struct batch_box *box = make_close();
	cr_assert(replica_close(&w.servers[0], w.now, 1, box) == 0);
	batch_box_unref(box);
	pass(&w, 2 * SECOND);
	cr_assert(seen_closed(sessions_find(&w.servers[2].sessions, (struct session){7, 1})));

	w.up[2] = false;
	replica_deinit(&w.servers[2]);
	w.servers[2] = copy;
	part(&w, 0, 2, true);
	part(&w, 1, 2, false);
	start(&w, 2, &limits);
	cr_assert(serves(&w, 2));
	part(&w, 1, 2, true);
	like(&w, 2);
	pass(&w, SECOND);
	part(&w, 0, 1, false);
	pass(&w, 2 * SECOND);
	part(&w, 0, 2, false);
	part(&w, 1, 2, false);
	pass(&w, 5 * SECOND);
	all_equal(&w);
	close_world(&w);
}

/* What the server has told so far leaves the journals. */
static void truncate_own(struct world *w, int i)
{
	struct origin own = w->servers[i].config.self.origin;
	for (uint64_t lsn = vector_get(&w->servers[i].v, own); lsn > 0; lsn--)
		record_unref(map_remove(&w->records, own.id, lsn));
}

/* The third joins by the second, cut off from the first, who has never heard of it. Then the second's disk is
 * destroyed: the first is told to forget it, and agrees with itself alone on what the third knows nothing of.
 * When they meet, each has what the other can neither get nor count. Nobody relied on the third. */
static void join_by_a_node_that_is_lost(bool truncated)
{
	static struct world w;
	const struct replica_config limits = {.grace = 10 * MS};
	w = (struct world){.now = SECOND};
	map_init(&w.records, 1);
	start(&w, 0, &limits);
	start(&w, 1, &limits);
	cr_assert(replica_members(&w.servers[1], w.now, (struct node){0}, w.servers[0].membership.staged.list,
				  1) == 0);
	cr_assert(serves(&w, 0) && serves(&w, 1));
	like_told(&w, 0);
	like_told(&w, 1);
	part(&w, 0, 1, true);
	part(&w, 0, 2, true);
	like_told(&w, 1); /* the first never has these */
	like_told(&w, 1);
	start(&w, 2, &limits);
	struct replica *z = &w.servers[0], *x = &w.servers[2];
	cr_assert(replica_members(x, w.now, (struct node){0}, w.servers[1].membership.staged.list, 2) == 0);
	pass(&w, 2 * SECOND);
	cr_assert(x->ready.phase == PHASE_CATCHING_UP && counts_get(&x->counts, "likes", 5) == 4);
	const struct vector *told = &peers_find(&w.servers[1].peers, node_of(2))->vector;
	cr_assert(vector_size(told) == 0, "nobody is to count on it");

	w.up[1] = false;
	cr_assert(replica_forget(z, node_of(1)) == 0);
	struct batch_box *box = make_close();
	cr_assert(replica_close(z, w.now, 1, box) == 0);
	batch_box_unref(box);
	pass(&w, 2 * SECOND);
	cr_assert(sessions_forgotten(&z->sessions, (struct session){7, 1}));
	if (truncated)
		truncate_own(&w, 0);
	part(&w, 0, 2, false);
	pass(&w, 5 * SECOND);
	cr_assert(serves(&w, 2), "waits for %s", replica_waits_for(x, w.now));
	cr_assert(x->v.digest == z->v.digest && replica_lag(z) == 0 && replica_lag(x) == 0);
	cr_assert(counts_get(&z->counts, "likes", 5) == 2 && counts_get(&x->counts, "likes", 5) == 2);
	cr_assert(sessions_forgotten(&x->sessions, (struct session){7, 1}));
	close_world(&w);
}

Test(runs, who_joined_by_a_node_that_is_lost_begins_anew)
{
	join_by_a_node_that_is_lost(true);
}

Test(runs, also_where_it_could_get_what_it_lacks)
{
	join_by_a_node_that_is_lost(false);
}
