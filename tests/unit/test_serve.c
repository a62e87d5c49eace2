/* SPDX-License-Identifier: MIT */
/* Who is answered what, and how far what others ask for goes into one answer. */
#include "serve_world.h"

Test(serve, a_hello_is_welcome_in_its_role)
{
	struct fixture f;
	setup(&f);
	struct message m = {.type = MESSAGE_HELLO, .hello = {.version = PROTOCOL_VERSION}};
	say(&f, 1, &m);
	cr_assert(f.m.type == MESSAGE_WELCOME && f.m.welcome.serving && f.m.welcome.session.number == 0);
	cr_assert(f.m.welcome.proof.code == 0, "no session, no proof");
	m.hello.wants_session = true;
	say(&f, 1, &m);
	cr_assert(f.m.welcome.session.number == 1 && f.m.welcome.session.issuer == 2);
	cr_assert(proof_check(&f.host->replica.membership.current, f.m.welcome.session, f.m.welcome.proof) ==
		  0);
	f.host->replica.membership.durable = false;
	say(&f, 1, &m);
	cr_assert(f.m.welcome.session.number == 0, "I4");
	f.host->replica.membership.durable = true;
	m = (struct message){.type = MESSAGE_HELLO, .hello = {PROTOCOL_VERSION, .is_server = true}};
	m.hello.node.id = PEER;
	say_as(&f, ROLE_OPERATOR, 2, &m);
	cr_assert(told(&f, KUDOS_FORBIDDEN) && f.host->port.malformed == 1);
	say_as(&f, ROLE_SERVER, 2, &m);
	cr_assert(f.m.type == MESSAGE_WELCOME);
	m.hello.version++;
	say(&f, 3, &m);
	cr_assert(told(&f, KUDOS_BAD_VERSION));
	say_as(&f, ROLE_NONE, 1, &m);
	cr_assert(f.sent == 0);
	teardown(&f);
}

Test(serve, the_oldest_of_its_kind_makes_room)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1000000, PEER); /* a server, older than all clients */
	f.now++;
	for (uint32_t i = 1; i <= LIMIT_CLIENTS; i++)
		hello(&f, i, 0);
	hello(&f, 999999, 0);
	cr_assert(told(&f, KUDOS_BUSY));
	hello(&f, 2000000, 21);
	cr_assert(f.m.type == MESSAGE_WELCOME);
	f.now += 10 * SECOND - 1;
	hello(&f, 999999, 0);
	cr_assert(told(&f, KUDOS_BUSY));
	f.now++;
	hello(&f, 999999, 0);
	cr_assert(f.m.type == MESSAGE_WELCOME);
	say(&f, 1, &(struct message){.type = MESSAGE_PING});
	cr_assert(told(&f, KUDOS_NO_HELLO), "the oldest client went");
	say(&f, 1000000, &(struct message){.type = MESSAGE_PING});
	cr_assert(f.m.type == MESSAGE_PONG, "no server did");
	teardown(&f);
}

Test(serve, what_is_not_for_the_sender_is_refused)
{
	struct fixture f;
	struct message reach = {.type = MESSAGE_REACH};
	setup(&f);
	say(&f, 1, &reach);
	cr_assert(told(&f, KUDOS_NO_HELLO));
	hello(&f, 1, 0);
	say(&f, 1, &reach);
	cr_assert(told(&f, KUDOS_PROTOCOL), "it said that it is a client");
	say_as(&f, ROLE_CLIENT, 1, &reach);
	cr_assert(told(&f, KUDOS_FORBIDDEN));
	say(&f, 1, &(struct message){.type = MESSAGE_PONG});
	cr_assert(told(&f, KUDOS_PROTOCOL) && f.host->port.malformed == 3);
	struct message drain = {.type = MESSAGE_DRAIN, .drain = {9, {"s", 1}}};
	say_as(&f, ROLE_CLIENT, 1, &drain);
	cr_assert(told(&f, KUDOS_FORBIDDEN) && f.m.error.id == 9 && !f.host->drains.wanted);
	say_as(&f, ROLE_OPERATOR, 1, &drain);
	cr_assert(f.m.type == MESSAGE_DONE && f.host->drains.wanted);
	hello(&f, 2, PEER);
	say(&f, 2, &reach);
	cr_assert(f.m.type == MESSAGE_REACHED);
	add_peer(&f, "s2", PEER);
	cr_assert(replica_forget(&f.host->replica, (struct node){PEER}) == 0);
	flush(&f);
	say(&f, 2, &reach);
	cr_assert(told(&f, KUDOS_FORGOTTEN));
	hello(&f, 3, PEER);
	cr_assert(told(&f, KUDOS_FORGOTTEN));
	say(&f, 1, &(struct message){.type = MESSAGE_PING});
	cr_assert(f.m.type == MESSAGE_PONG, "clients are nobody's node");
	teardown(&f);
}

Test(serve, what_cannot_be_read_is_answered_by_its_fault)
{
	struct fixture f;
	static const char bad_key[] = "\x94\xa5"
				      "count\x05\x91\xa1 \x90"; /* a key that is a space */
	setup(&f);
	say_bytes(&f, 1, "\x01", 1);
	cr_assert(told(&f, KUDOS_PROTOCOL));
	hello(&f, 1, 0);
	say_bytes(&f, 1, "\x01", 1);
	cr_assert(told(&f, KUDOS_PROTOCOL) && f.m.error.id == 0);
	say_bytes(&f, 1, bad_key, sizeof bad_key - 1);
	cr_assert(told(&f, KUDOS_BAD_KEY) && f.m.error.id == 5, "%d", f.m.error.code);
	cr_assert(f.host->port.malformed == 3);
	teardown(&f);
}

Test(serve, a_read_waits_for_what_its_client_knows)
{
	struct fixture f;
	struct text key = {"k", 1};
	struct position at = {{2}, 1};
	struct message m = {.type = MESSAGE_COUNT,
			    .count = {.id = 4, .keys = &key, .key_count = 1, .positions = &at}};
	setup(&f);
	hello(&f, 1, 0);
	m.count.position_count = 1;
	say(&f, 1, &m);
	cr_assert(f.sent == 0 && f.host->reads.count == 1);
	flush(&f);
	cr_assert(f.sent == 0 && f.host->reads.count == 1);
	like(&f, 1, 1);
	flush(&f);
	cr_assert(f.m.type == MESSAGE_COUNTS && f.m.counts.counts[0] == 1 && f.host->reads.count == 0);
	at.lsn = 2;
	hello(&f, 2, 0);
	int64_t asked = f.now;
	say(&f, 1, &m);
	say(&f, 2, &m);
	connections_close(&f.host->port.connections,
			  connections_find(&f.host->port.connections, (uint8_t *)"\2\0\0", 4));
	f.now = asked + SECOND;
	flush(&f);
	cr_assert(f.sent == 0 && f.host->reads.count == 1, "who is gone waits for nothing");
	f.now = asked + 2 * SECOND - 1;
	flush(&f);
	cr_assert(f.sent == 0 && f.host->reads.count == 1);
	f.now = f.host->reads.next;
	cr_assert(f.now > asked + 2 * SECOND);
	f.now = asked + 2 * SECOND;
	flush(&f);
	cr_assert(f.sent == 0, "looked at a moment ago");
	f.now = f.host->reads.next;
	flush(&f);
	cr_assert(told(&f, KUDOS_BEHIND) && f.m.error.id == 4 && f.host->reads.count == 0);
	f.host->replica.ready.phase = PHASE_CATCHING_UP;
	say(&f, 1, &m);
	cr_assert(told(&f, KUDOS_NOT_SERVING));
	say(&f, 1, &(struct message){.type = MESSAGE_TOP, .top = {5, 1}});
	cr_assert(told(&f, KUDOS_NOT_SERVING));
	hello(&f, 3, PEER);
	say(&f, 3, &(struct message){.type = MESSAGE_SNAPSHOT, .snapshot = {6, 0}});
	cr_assert(told(&f, KUDOS_NOT_SERVING) && f.m.error.id == 6);
	teardown(&f);
}

Test(serve, status_shows_whom_it_hears)
{
	struct fixture f;
	setup(&f);
	add_peer(&f, "down", 20);
	add_peer(&f, "up", 21);
	add_peer(&f, "late", 22);
	add_peer(&f, "gone", 23);
	cr_assert(replica_forget(&f.host->replica, (struct node){23}) == 0);
	flush(&f);
	heard(peers_find(&f.host->replica.peers, (struct node){20}), f.now - 1500 * MS, true);
	heard(peers_find(&f.host->replica.peers, (struct node){21}), f.now, true);
	heard(peers_find(&f.host->replica.peers, (struct node){22}), f.now, false);
	hello(&f, 1, 0);
	for (int i = 0; i < 2; i++) {
		say(&f, 1, &(struct message){.type = MESSAGE_STATUS, .status = {3}});
		cr_assert(f.m.type == MESSAGE_STATE && f.m.state.row_count == 4);
		cr_assert(f.m.state.rows[0].state == (i ? SERVER_CATCHING_UP : SERVER_UP), "itself");
		cr_assert(f.m.state.rows[0].load.clients == 1 && f.m.state.rows[1].state == SERVER_DOWN &&
			  f.m.state.rows[2].state == SERVER_UP &&
			  f.m.state.rows[3].state == SERVER_CATCHING_UP);
		f.host->replica.ready.phase = PHASE_CATCHING_UP;
	}
	teardown(&f);
}

static void drain(struct fixture *f, uint32_t who, const char *target, size_t size)
{
	f->host->drains.wanted = false;
	say(f, who, &(struct message){.type = MESSAGE_DRAIN, .drain = {9, {target, size}}});
}

Test(serve, a_member_is_named_by_name_or_node)
{
	struct fixture f;
	setup(&f);
	struct peer *p = add_peer(&f, "two", PEER);
	hello(&f, 1, 0);
	drain(&f, 1, "s", 1);
	cr_assert(f.m.type == MESSAGE_DONE && f.m.done.id == 9 && f.host->drains.wanted);
	drain(&f, 1, "0000000000000001", 16);
	cr_assert(f.m.type == MESSAGE_DONE && f.host->drains.wanted);
	drain(&f, 1, "0000000000000001x", 17);
	cr_assert(told(&f, KUDOS_UNKNOWN_NODE) && !f.host->drains.wanted);
	drain(&f, 1, "000000000000000", 15);
	cr_assert(told(&f, KUDOS_UNKNOWN_NODE));
	drain(&f, 1, "000000000000000f", 16);
	cr_assert(told(&f, KUDOS_UNKNOWN_NODE));
	drain(&f, 1, "x", 1);
	cr_assert(told(&f, KUDOS_UNKNOWN_NODE) && f.m.error.id == 9);
	drain(&f, 1, "tw", 2);
	cr_assert(told(&f, KUDOS_UNKNOWN_NODE));
	drain(&f, 1, "two", 3);
	cr_assert(told(&f, KUDOS_NO_SERVER), "it does not hear it");
	p->heard = f.now;
	drain(&f, 1, "two", 3);
	cr_assert(f.sent == 0 && f.to_peer[MESSAGE_DRAIN] == 1 && !f.host->drains.wanted);
	hello(&f, 2, PEER);
	drain(&f, 2, "two", 3);
	cr_assert(told(&f, KUDOS_NO_SERVER) && f.to_peer[MESSAGE_DRAIN] == 0, "passed on once alone");
	for (int i = 0; i <= LIMIT_PASSED; i++)
		say(&f, 1,
		    &(struct message){.type = MESSAGE_DRAIN, .drain = {(uint64_t)(100 + i), {"two", 3}}});
	cr_assert(told(&f, KUDOS_BUSY));
	add_peer(&f, "two", 30);
	drain(&f, 1, "two", 3);
	cr_assert(f.sent == 0, "the one that runs was asked before");
	add_peer(&f, "two", 31);
	peers_find(&f.host->replica.peers, (struct node){31})->heard = f.now;
	drain(&f, 1, "two", 3);
	cr_assert(told(&f, KUDOS_UNKNOWN_NODE), "two of them run");
	struct message m = {.type = MESSAGE_FORGET, .forget = {8, {"0000000000000014", 16}}};
	say(&f, 1, &m);
	cr_assert(f.m.type == MESSAGE_DONE && f.m.done.id == 8);
	flush(&f);
	cr_assert(!peers_find(&f.host->replica.peers, (struct node){PEER}));
	say(&f, 1, &m);
	cr_assert(f.m.type == MESSAGE_DONE, "done already is done");
	m.forget.target = (struct text){"two", 3};
	for (int i = 0; i < 2; i++) {
		say(&f, 1, &m);
		cr_assert(f.m.type == MESSAGE_DONE, "the one that is down, then the last");
		flush(&f);
		cr_assert(!peers_find(&f.host->replica.peers, (struct node){(uint64_t)(30 + i)}));
	}
	say(&f, 1, &m);
	cr_assert(told(&f, KUDOS_UNKNOWN_NODE), "who is forgotten has no name");
	teardown(&f);
}

Test(serve, records_are_given_as_far_as_they_are_held)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	hello(&f, 2, PEER);
	for (uint64_t i = 1; i <= 5000; i++) {
		like(&f, 1, i);
		if (i < 4999)
			flush(&f);
	}
	struct message m = {.type = MESSAGE_FETCH, .fetch = {{2}, 3, 7}};
	say(&f, 2, &m);
	cr_assert(f.m.type == MESSAGE_RECORDS && f.m.records.from == 3 && f.m.records.record_count == 5);
	m.fetch.to = 3;
	say(&f, 2, &m);
	cr_assert(f.m.records.record_count == 1);
	m.fetch.to = 5000;
	say(&f, 2, &m);
	cr_assert(f.m.records.record_count == 4096, "as many as an answer holds");
	m.fetch.from = 4995;
	say(&f, 2, &m);
	cr_assert(f.m.records.record_count == 4, "what is not durable is not given");
	m.fetch.from = 4999;
	say(&f, 2, &m);
	cr_assert(f.m.type == MESSAGE_GONE && f.m.gone.from == 4999);
	teardown(&f);
}

static uint64_t big_record(struct fixture *f, uint32_t who, uint64_t seq)
{
	static char key[LIMIT_KEY];
	static struct event events[480];
	memset(key, 'k', sizeof key);
	for (size_t i = 0; i < 480; i++)
		events[i] = (struct event){key, 1, sizeof key};
	const struct session session = {77, who};
	struct bytes b = batch_message(session, proof_make(&self, session), seq, events, 480);
	cr_assert(host_receive_client(f->host, f->now, ROLE_ANY, (const uint8_t *)&who, sizeof who, b.data,
				      b.size) == 0);
	bytes_deinit(&b);
	flush(f);
	return seq;
}

Test(serve, records_are_given_as_far_as_they_fit)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	hello(&f, 2, PEER);
	for (uint64_t i = 1; i <= 40; i++)
		big_record(&f, 1, i);
	say(&f, 2, &(struct message){.type = MESSAGE_FETCH, .fetch = {{2}, 1, 40}});
	size_t given = f.m.records.record_count, each = f.m.records.records[0].size;
	cr_assert(f.m.type == MESSAGE_RECORDS && given < 40 && f.raw.size <= LIMIT_MESSAGE - 65536);
	cr_assert((given + 1) * (each + 8) > LIMIT_MESSAGE - 65536, "one more would not have fitted");
	teardown(&f);
}

Test(serve, a_vector_is_told_in_pages)
{
	struct fixture f;
	setup(&f);
	hello(&f, 2, PEER);
	struct message m = {.type = MESSAGE_REACH};
	for (uint64_t i = 100; i < 110; i++)
		cr_assert(vector_set(&f.host->replica.v, (struct origin){i}, 1) == 0);
	say(&f, 2, &m);
	cr_assert(f.m.type == MESSAGE_REACHED && f.m.reached.position_count == 10 && f.m.reached.last);
	f.host->replica.config.told = 4;
	say(&f, 2, &m);
	cr_assert(f.m.reached.position_count == 4 && !f.m.reached.last);
	m.reach.after.id = 105;
	say(&f, 2, &m);
	cr_assert(f.m.reached.position_count == 4 && f.m.reached.last && f.m.reached.after.id == 105);
	f.host->replica.config.told = 100000;
	say(&f, 2, &m);
	cr_assert(f.m.reached.position_count == 4 && f.m.reached.last);
	teardown(&f);
}

/* ---- acknowledgements ---- */

Test(serve, acknowledgements_of_one_client_go_together)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	hello(&f, 2, 0);
	forget(&f);
	for (uint64_t seq = 1; seq <= 6; seq++) {
		if (seq != 4)
			like(&f, 1, seq);
	}
	flush(&f);
	cr_assert(f.sent == 1 && f.m.type == MESSAGE_ACK && f.m.ack.range_count == 2);
	cr_assert(f.m.ack.ranges[0].lo == 1 && f.m.ack.ranges[0].hi == 3 && f.m.ack.ranges[1].lo == 5 &&
		  f.m.ack.ranges[1].hi == 6);
	cr_assert(f.m.ack.position_count == 1 && f.m.ack.positions[0].origin.id == 2 &&
		  f.m.ack.positions[0].lsn == 1);
	forget(&f);
	like(&f, 1, 7);
	like(&f, 2, 1);
	like(&f, 1, 8);
	flush(&f);
	cr_assert(f.sent == 3 && f.to == 1 && f.m.ack.ranges[0].lo == 8 && f.m.ack.positions[0].lsn == 2);
	forget(&f);
	for (uint64_t seq = 10; seq <= 10 + 2 * LIMIT_IN_FLIGHT; seq += 2)
		like(&f, 1, seq);
	flush(&f);
	cr_assert(f.sent == 2 && f.m.ack.range_count == 1, "%zu", f.sent);

	/* What was here before: the vector tells since when. */
	cr_assert(vector_set(&f.host->replica.v, (struct origin){50}, 3) == 0);
	cr_assert(recent_touch(&f.host->replica.recent, (struct origin){50}, 10) == 0);
	forget(&f);
	like(&f, 1, 1);
	like(&f, 1, 101);
	flush(&f);
	cr_assert(f.sent == 1 && f.m.ack.range_count == 2 && f.m.ack.position_count == 2);
	forget(&f);
	like(&f, 1, 103);
	flush(&f);
	cr_assert(f.m.ack.position_count == 1);
	teardown(&f);
}

Test(serve, is_answered_in_order)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	like(&f, 1, 1);
	flush(&f);
	forget(&f);
	like(&f, 1, 1); /* acknowledged at once, … */
	uint32_t who = 1;
	struct event event = {"other", 1, 5}; /* … then refused: other content under the number */
	const struct session session = {77, 1};
	struct bytes b = batch_message(session, proof_make(&self, session), 1, &event, 1);
	cr_assert(host_receive_client(f.host, f.now, ROLE_ANY, (const uint8_t *)&who, sizeof who, b.data,
				      b.size) == 0);
	bytes_deinit(&b);
	flush(&f);
	cr_assert(f.sent == 2 && f.m.type == MESSAGE_REFUSED && f.m.refused.code == KUDOS_CONFLICT);
	teardown(&f);
}

/* ---- stopping ---- */

Test(serve, it_has_drained_when_nobody_waits)
{
	struct fixture f;
	setup(&f);
	struct peer *p = add_peer(&f, "s2", PEER);
	hello(&f, 1, 0);
	hello(&f, 2, PEER);
	like(&f, 1, 1);
	cr_assert(!host_drained(f.host, f.now), "a batch is pending");
	flush(&f);
	cr_assert(host_drained(f.host, f.now), "who is not in reach is not waited for");
	p->heard = f.now;
	cr_assert(!host_drained(f.host, f.now), "a peer lacks the record");
	cr_assert(vector_set(&p->vector, (struct origin){2}, 1) == 0 && host_drained(f.host, f.now));
	f.host->replica.group.committing = true;
	cr_assert(!host_drained(f.host, f.now));
	f.host->replica.group.committing = false;
	f.host->replica.waiters.count = 1;
	cr_assert(!host_drained(f.host, f.now));
	f.host->replica.waiters.count = 0;
	forget(&f);
	host_drain(f.host, f.now);
	cr_assert(f.sent == 1 && f.to == 1 && told(&f, KUDOS_NOT_SERVING), "clients alone are told to move");
	teardown(&f);
}
