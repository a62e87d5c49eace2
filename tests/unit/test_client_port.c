/* SPDX-License-Identifier: MIT */
/* The client port's limits and refusals, to the last byte. */
#include "serve_world.h"
#include "core/commit.h"

static struct bytes batch_of(uint32_t who, const char *key, struct proof proof)
{
	struct event event = {key, 1, (uint8_t)strlen(key)};
	return batch_message((struct session){77, who}, proof, 5, &event, 1);
}

Test(client_port, each_role_says_its_own_hello)
{
	struct fixture f;
	setup(&f);
	struct message m = {.type = MESSAGE_HELLO, .hello = {.version = PROTOCOL_VERSION}};
	say_as(&f, ROLE_CLIENT, 1, &m);
	cr_assert(f.m.type == MESSAGE_WELCOME && f.host->port.malformed == 0);
	for (uint32_t i = 2; i <= LIMIT_CLIENTS; i++)
		hello(&f, i, 0);
	hello(&f, 999999, 0);
	cr_assert(told(&f, KUDOS_BUSY) && strstr(f.m.error.text.data, "has 10000 clients"));
	for (uint32_t i = 1; i <= LIMIT_MEMBERS; i++)
		hello(&f, 100000 + i, 100 + i);
	hello(&f, 999999, 99);
	cr_assert(told(&f, KUDOS_BUSY) && strstr(f.m.error.text.data, "has 1024 servers"));
	teardown(&f);
}

/* What can be told apart from others is refused by its name. */
Test(client_port, a_bad_batch_is_refused_by_name_or_as_a_whole)
{
	struct fixture f;
	setup(&f);
	for (uint32_t who = 1; who < 3; who++) {
		hello(&f, who, 0);
		struct bytes b = batch_of(who, "a?b", proof_make(&self, (struct session){77, who}));
		*(uint8_t *)memchr(b.data, '?', b.size) = ' ';
		say_bytes(&f, who, (const char *)b.data, b.size);
		cr_assert(f.m.type == MESSAGE_REFUSED && f.m.refused.code == KUDOS_BAD_KEY);
		cr_assert(f.m.refused.session.number == who && f.m.refused.seq == 5);
		say_bytes(&f, who, (const char *)b.data, 8); /* it ends before its session */
		cr_assert(told(&f, KUDOS_PROTOCOL));
		bytes_deinit(&b);
	}
	teardown(&f);
}

Test(client_port, a_session_that_nobody_issued_has_no_close_and_no_past)
{
	struct fixture f;
	struct message seen = {.type = MESSAGE_SEEN, .seen = {.session = {77, 1}, .seq = 3}};
	struct message end = {.type = MESSAGE_CLOSE, .close = {.session = {77, 1}}};
	setup(&f);
	hello(&f, 1, 0);
	end.close.proof = seen.seen.proof = proof_make(&self, (struct session){77, 2});
	say(&f, 1, &end);
	cr_assert(f.m.type == MESSAGE_REFUSED && f.m.refused.seq == 0 &&
		  f.m.refused.code == KUDOS_NOT_ISSUED);
	say(&f, 1, &seen);
	cr_assert(f.m.type == MESSAGE_REFUSED && f.m.refused.seq == 3 &&
		  f.m.refused.code == KUDOS_NOT_ISSUED);
	seen.seen.proof = proof_make(&self, seen.seen.session);
	say(&f, 1, &seen);
	flush(&f);
	cr_assert(f.m.type == MESSAGE_REFUSED && f.m.refused.code == KUDOS_NOT_COUNTED);
	like(&f, 1, 3);
	flush(&f);
	say(&f, 1, &seen);
	flush(&f);
	cr_assert(f.m.type == MESSAGE_ACK && f.m.ack.ranges[0].lo == 3);
	teardown(&f);
}

Test(client_port, the_top_is_told_when_it_is_known)
{
	struct fixture f;
	struct message m = {.type = MESSAGE_TOP, .top = {5, 3}};
	char key[16];
	setup(&f);
	hello(&f, 1, 0);
	say(&f, 1, &m);
	cr_assert(f.m.type == MESSAGE_TOPS && f.m.tops.count == 0 && f.m.tops.id == 5);
	struct counts *c = &f.host->replica.counts;
	for (size_t i = 0; i < 3000; i++)
		cr_assert(counts_add(c, key, (size_t)snprintf(key, sizeof key, "k%zu", i), (int64_t)i + 1) ==
			  0);
	say(&f, 1, &m);
	cr_assert(f.m.type == MESSAGE_TOPS && f.m.tops.count == 3);
	for (size_t i = 0; i < 3; i++)
		cr_assert(f.m.tops.rows[i].count == (int64_t)(3000 - i) && f.m.tops.rows[i].key.size == 5 &&
			  f.m.tops.rows[i].key.data[4] == (char)('9' - i));
	m.top.n = LIMIT_TOP;
	say(&f, 1, &m);
	cr_assert(f.m.tops.count == LIMIT_TOP);
	for (size_t i = 1000; i < 3000; i++)
		cr_assert(counts_add(c, key, (size_t)snprintf(key, sizeof key, "k%zu", i), -3000) == 0);
	say(&f, 1, &m);
	cr_assert(told(&f, KUDOS_BUSY) && f.m.error.id == 5);
	f.host->leaders.next_beat = f.now + 3600 * SECOND;
	cr_assert(host_deadline(f.host) == 0, "the walk goes on by itself");
	for (int i = 0; i < 100; i++)
		cr_assert(host_tick(f.host, f.now) == 0);
	cr_assert(host_deadline(f.host) != 0);
	say(&f, 1, &m);
	cr_assert(f.m.type == MESSAGE_TOPS && f.m.tops.rows[0].count == 1000);
	teardown(&f);
}

Test(client_port, reads_wait_to_the_last_byte_and_microsecond)
{
	struct fixture f;
	struct text key = {"k", 1};
	struct position at = {{2}, 99};
	struct message m = {.type = MESSAGE_COUNT,
			    .count = {.keys = &key, .key_count = 1, .positions = &at, .position_count = 1}};
	struct bytes b = {0};
	setup(&f);
	hello(&f, 1, 0);
	message_encode(&m, &b);
	f.host->reads.bytes = LIMIT_READS_BYTES - b.size + 1;
	say(&f, 1, &m);
	cr_assert(told(&f, KUDOS_BUSY));
	f.host->reads.bytes--;
	say(&f, 1, &m);
	cr_assert(f.sent == 0 && f.host->reads.count == 1 && f.host->reads.bytes == LIMIT_READS_BYTES);
	f.now += 2 * SECOND;
	f.host->reads.next = f.now;
	flush(&f);
	cr_assert(told(&f, KUDOS_BEHIND) && f.host->reads.count == 0);
	bytes_deinit(&b);
	teardown(&f);
}

Test(client_port, who_watches_is_told_what_it_reads_and_what_changes)
{
	struct fixture f;
	struct text keys[] = {{"k", 1}, {"l", 1}};
	struct position at = {{2}, 99};
	struct message m = {.type = MESSAGE_WATCH, .watch = {.id = 7, .keys = keys, .key_count = 2}};
	setup(&f);
	say(&f, 1, &m);
	cr_assert(told(&f, KUDOS_NO_HELLO));
	hello(&f, 1, 0);
	say_as(&f, ROLE_CLIENT, 1, &m);
	cr_assert(f.m.type == MESSAGE_COUNTS && f.m.counts.id == 7 && f.m.counts.count == 2);
	forget(&f);
	cr_assert(counts_add(&f.host->replica.counts, "k", 1, 3) == 0);
	f.host->replica.stats.events++;
	flush(&f);
	cr_assert(f.sent == 1 && f.to == 1 && f.m.type == MESSAGE_CHANGED && f.m.changed.count == 3);
	m.watch.positions = &at;
	m.watch.position_count = 1;
	say(&f, 1, &m);
	cr_assert(f.sent == 0 && f.host->reads.count == 1, "it waits for the position");
	m = (struct message){.type = MESSAGE_WATCH, .watch = {.id = 8}};
	say(&f, 1, &m);
	cr_assert(f.m.type == MESSAGE_COUNTS && f.m.counts.count == 0 && f.host->watching.ties == 0);
	m.watch.keys = keys;
	m.watch.key_count = 1;
	f.host->watching.ties = LIMIT_WATCHING; /* as if of others */
	say(&f, 1, &m);
	cr_assert(told(&f, KUDOS_BUSY) && f.m.error.id == 8);
	f.host->watching.ties = 0;
	say(&f, 1, &m);
	cr_assert(f.host->watching.count == 1);
	f.host->next_expiry = f.now += 10 * SECOND;
	cr_assert(host_tick(f.host, f.now) == 0 && f.host->watching.count == 0, "it was silent for so long");
	teardown(&f);
}

Test(client_port, a_client_is_no_node_whatever_it_says)
{
	struct fixture f;
	setup(&f);
	add_peer(&f, "s2", PEER);
	cr_assert(replica_forget(&f.host->replica, (struct node){PEER}) == 0);
	flush(&f);
	say(&f, 1,
	    &(struct message){.type = MESSAGE_HELLO, .hello = {.version = PROTOCOL_VERSION, .node = {PEER}}});
	cr_assert(told(&f, KUDOS_PROTOCOL));
	hello(&f, 1, 0);
	cr_assert(f.m.type == MESSAGE_WELCOME);
	teardown(&f);
}

Test(client_port, a_vector_has_its_pages_whatever_is_configured)
{
	struct fixture f;
	setup(&f);
	hello(&f, 2, PEER);
	for (uint64_t i = 100; i < 5100; i++)
		cr_assert(vector_set(&f.host->replica.v, (struct origin){i}, 1) == 0);
	for (int i = 0; i < 2; i++) {
		say(&f, 2, &(struct message){.type = MESSAGE_REACH});
		cr_assert(f.m.reached.position_count == 4096 && !f.m.reached.last);
		f.host->replica.config.told = 100000;
	}
	teardown(&f);
}

Test(client_port, a_node_is_named_by_sixteen_digits)
{
	struct fixture f = {.now = SECOND};
	const struct host_io io = {&f, keep_sent, note_peer, note_leader, drop_published, drop_members};
	const struct text target = {"0000000000000001 and more", 16};
	struct host *h = make_host((struct host_config){0}, NULL, &io, f.now);
	cr_assert(!drains_told(&h->drains, &h->replica, target),
		  "who it is takes effect with its first commit");
	cr_assert(host_flush(h, f.now) == 0 && drains_told(&h->drains, &h->replica, target) &&
		  h->drains.wanted);
	host_close(&h);
	assert_no_leak();
}

Test(client_port, acknowledgements_are_gathered_by_session)
{
	struct fixture f;
	struct event event = {"k", 1, 1};
	setup(&f);
	hello(&f, 1, 0);
	forget(&f);
	for (uint64_t number = 1; number <= 2; number++) { /* one client, two sessions */
		struct batch_box *box = message_make_batch((struct session){77, number}, 1, &event, 1);
		cr_assert(replica_batch(&f.host->replica, f.now, f.host->port.connections.newest->handle,
					box) == 0);
		batch_box_unref(box);
	}
	flush(&f);
	cr_assert(f.sent == 2 && f.m.ack.session.number == 2 && f.m.ack.range_count == 1);

	/* What another is told in between does not part them. */
	hello(&f, 2, 0);
	for (uint64_t seq = 2; seq < 5; seq++)
		like(&f, 1, seq);
	flush(&f);
	forget(&f);
	like(&f, 1, 2);
	say(&f, 2,
	    &(struct message){
		.type = MESSAGE_SEEN,
		.seen = {.session = {77, 2}, .seq = 9, .proof = proof_make(&self, (struct session){77, 2})}});
	like(&f, 1, 4);
	flush(&f);
	cr_assert(f.sent == 2 && f.m.type == MESSAGE_ACK && f.m.ack.range_count == 2);
	teardown(&f);
}

Test(client_port, silent_clients_are_forgotten_after_a_minute)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	int64_t since = f.now;
	f.host->next_expiry = f.now = since + 60 * SECOND;
	cr_assert(host_tick(f.host, f.now) == 0 && f.host->port.connections.by_id.count == 1);
	f.host->next_expiry = ++f.now;
	cr_assert(host_tick(f.host, f.now) == 0 && f.host->port.connections.by_id.count == 0);
	teardown(&f);
}

Test(client_port, likes_are_measured_by_the_second)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	f.host->metrics.measured_at = f.now;
	f.host->metrics.measured_events = f.host->replica.stats.events;
	for (uint64_t seq = 1; seq <= 10; seq++)
		like(&f, 1, seq);
	flush(&f);
	f.host->next_expiry = f.now += SECOND - 1;
	cr_assert(host_tick(f.host, f.now) == 0 && f.host->metrics.events_per_s == 0);
	f.host->next_expiry = ++f.now;
	cr_assert(host_tick(f.host, f.now) == 0 && f.host->metrics.events_per_s == 10);
	teardown(&f);
}

Test(client_port, it_is_full_with_a_mebibyte)
{
	struct fixture f;
	setup(&f);
	cr_assert(!host_full(f.host));
	f.host->replica.group.pending_bytes = 1 << 19;
	f.host->replica.group.incoming_bytes = (1 << 19) - 1;
	cr_assert(!host_full(f.host));
	f.host->replica.group.incoming_bytes++;
	cr_assert(host_full(f.host));
	f.host->replica.group.pending_bytes = f.host->replica.group.incoming_bytes = 0;
	cr_assert(host_drained(f.host, f.now));
	f.host->replica.group.pending_count = 1; /* such as a lapse, which no client waits for */
	cr_assert(!host_drained(f.host, f.now));
	f.host->replica.group.pending_count = 0;
	teardown(&f);
}

Test(client_port, its_heartbeat_comes_in_time)
{
	struct fixture f;
	setup(&f);
	cr_assert(host_tick(f.host, f.now) == 0);
	f.host->leaders.next_beat = f.now + 1;
	cr_assert(host_deadline(f.host) == f.now + 1);
	leaders_beat(f.host, f.now);
	for (int i = 0; i < MESSAGE_TYPE_COUNT; i++)
		cr_assert(f.to_leader[i] == 0, "there is no leader");
	f.host->leaders.next_beat = f.now + 3600 * SECOND;
	cr_assert(host_deadline(f.host) == replica_deadline(&f.host->replica));
	teardown(&f);
}

/* Likes of two sessions, and what stands between them, in one message. */
static void say_many(struct fixture *f, uint32_t who, struct blob between)
{
	struct bytes first = batch_of(1, "a", proof_make(&self, (struct session){77, 1}));
	struct bytes last = batch_of(2, "b", proof_make(&self, (struct session){77, 2}));
	const struct blob all[] = {{first.data, first.size}, between, {last.data, last.size}};
	say(f, who, &(struct message){.type = MESSAGE_MANY, .many = {all, 3}});
	bytes_deinit(&first);
	bytes_deinit(&last);
}

Test(client_port, several_in_one_message_are_each_taken_and_answered_together)
{
	struct fixture f;
	struct bytes ping = {0};
	setup(&f);
	message_encode(&(struct message){.type = MESSAGE_PING, .ping = {5}}, &ping);
	say_many(&f, 9, (struct blob){ping.data, ping.size});
	cr_assert(told(&f, KUDOS_NO_HELLO) && f.sent == 1);
	hello(&f, 9, 0);
	forget(&f);
	say_many(&f, 9, (struct blob){ping.data, ping.size});
	cr_assert(f.m.type == MESSAGE_PONG && f.sent == 1 && f.host->port.malformed == 0);
	forget(&f);
	flush(&f);
	cr_assert(f.m.type == MESSAGE_MANY && f.m.many.count == 2 && f.sent == 1);
	for (size_t i = 0; i < 2; i++) {
		struct message ack;
		cr_assert(message_decode(f.m.many.messages[i].data, f.m.many.messages[i].size, &ack) == 0);
		cr_assert(ack.type == MESSAGE_ACK && ack.ack.session.number == 1 + i &&
			  ack.ack.ranges[0].lo == 5);
		message_deinit(&ack);
	}
	bytes_deinit(&ping);
	teardown(&f);
}

/* Who has never sent one is not answered so, whoever else does. */
Test(client_port, who_sends_one_at_a_time_is_answered_so)
{
	struct fixture f;
	setup(&f);
	hello(&f, 9, 0);
	for (uint32_t session = 1; session <= 2; session++) {
		struct bytes b = batch_of(session, "a", proof_make(&self, (struct session){77, session}));
		say_bytes(&f, 9, (const char *)b.data, b.size);
		bytes_deinit(&b);
	}
	forget(&f);
	flush(&f);
	cr_assert(f.m.type == MESSAGE_ACK && f.sent == 2);
	teardown(&f);
}

Test(client_port, many_within_many_and_what_is_no_message_are_refused_by_themselves)
{
	struct fixture f;
	struct bytes inner = {0};
	const struct blob nothing = {(const uint8_t *)"?", 1};
	setup(&f);
	hello(&f, 9, 0);
	message_encode(&(struct message){.type = MESSAGE_MANY, .many = {&nothing, 1}}, &inner);
	say_many(&f, 9, (struct blob){inner.data, inner.size});
	cr_assert(told(&f, KUDOS_PROTOCOL) && f.host->port.malformed == 1);
	say_many(&f, 9, nothing);
	cr_assert(told(&f, KUDOS_PROTOCOL) && f.host->port.malformed == 2);
	flush(&f);
	cr_assert(f.m.type == MESSAGE_MANY); /* the likes beside them count */
	cr_assert(counts_get(&f.host->replica.counts, "a", 1) == 1 &&
		  counts_get(&f.host->replica.counts, "b", 1) == 1);
	bytes_deinit(&inner);
	teardown(&f);
}
