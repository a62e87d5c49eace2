/* SPDX-License-Identifier: MIT */
/* A server and its leaders: when it registers, what it believes them, and what it sends them. Also what is
 * not of the protocol, from whom ever it comes. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/agree.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"
#include "server/peers.h"

#define LEADERS 3

struct fixture {
	struct host *host;
	int64_t now;
	unsigned sent[LEADERS][MESSAGE_TYPE_COUNT];
	unsigned to_peer[MESSAGE_TYPE_COUNT];
};

static void note_leader(void *arg, size_t leader, const void *data, size_t size)
{
	struct fixture *f = arg;
	enum message_type type;
	cr_assert(leader < LEADERS && message_peek(data, size, &type) == 0);
	f->sent[leader][type]++;
}

static void note_peer(void *arg, struct node peer, const void *data, size_t size)
{
	struct fixture *f = arg;
	enum message_type type;
	cr_assert(peer.id == PEER && message_peek(data, size, &type) == 0);
	f->to_peer[type]++;
}

static void setup(struct fixture *f, size_t leaders)
{
	const struct host_config config = {.leaders = leaders};
	const struct host_io io = {f, drop_sent, note_peer, note_leader, drop_published, drop_members};
	*f = (struct fixture){.now = 100 * SECOND};
	f->host = make_host(config, NULL, &io, f->now);
	cr_assert(host_flush(f->host, f->now) == 0 && f->host->replica.membership.durable);
	memset(f->sent, 0, sizeof f->sent);
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	assert_no_leak();
}

static void hear(struct fixture *f, size_t leader, const struct message *m)
{
	struct bytes b = {0};
	memset(f->sent, 0, sizeof f->sent);
	message_encode(m, &b);
	cr_assert(leaders_receive(f->host, f->now, leader, b.data, b.size) == 0);
	bytes_deinit(&b);
}

static void heard(struct fixture *f, size_t leader, uint64_t incarnation)
{
	hear(f, leader,
	     &(struct message){.type = MESSAGE_HEARD,
			       .heard = {incarnation, f->host->replica.membership.digest, .known = true}});
}

Test(leaders, who_knows_otherwise_is_registered_with_again)
{
	struct fixture f;
	setup(&f, LEADERS);
	struct message m = {.type = MESSAGE_HEARD,
			    .heard = {7, f.host->replica.membership.digest, .known = false}};
	hear(&f, 1, &m);
	cr_assert(f.sent[1][MESSAGE_MEMBERS] == 1 && !f.host->replica.ready.heard_leader);
	m.heard.known = true;
	m.heard.digest++;
	hear(&f, 1, &m);
	cr_assert(f.sent[1][MESSAGE_MEMBERS] == 1 && !f.host->replica.ready.heard_leader);
	heard(&f, 1, 7);
	cr_assert(f.sent[1][MESSAGE_MEMBERS] == 0 && f.host->replica.ready.heard_leader);
	hear(&f, 1, &m);
	cr_assert(f.host->replica.ready.heard_leader, "it was told once");
	teardown(&f);
}

Test(leaders, a_majority_that_had_time_is_believed)
{
	struct fixture f;
	setup(&f, LEADERS);
	struct replica *r = &f.host->replica;
	heard(&f, 0, 7);
	heard(&f, 1, 8);
	f.now += 2 * SECOND - 1;
	heard(&f, 0, 7);
	heard(&f, 1, 8);
	cr_assert(!r->ready.met_leader, "others may be on their way to it");
	f.now++;
	f.host->leaders.majority.list[LEADERS] =
	    (struct leader_word){.heard = f.now, .agrees = true}; /* is none */
	heard(&f, 0, 7);
	cr_assert(!r->ready.met_leader, "one of three");
	heard(&f, 1, 8);
	cr_assert(r->ready.met_leader);
	heard(&f, 1, 9);
	cr_assert(!r->ready.met_leader, "another leader by now");
	f.now += SECOND;
	heard(&f, 1, 9);
	f.now += SECOND;
	heard(&f, 1, 9);
	cr_assert(!r->ready.met_leader, "the first has been silent for two seconds");
	heard(&f, 0, 7);
	cr_assert(r->ready.met_leader);
	f.now += 2 * SECOND - 1;
	heard(&f, 1, 9);
	cr_assert(r->ready.met_leader);
	hear(&f, 1,
	     &(struct message){.type = MESSAGE_HEARD, .heard = {9, r->membership.digest + 1, .known = true}});
	cr_assert(!r->ready.met_leader);
	teardown(&f);
	setup(&f, 2);
	heard(&f, 0, 7);
	f.now += 2 * SECOND;
	heard(&f, 0, 7);
	cr_assert(!f.host->replica.ready.met_leader, "half is no majority");
	teardown(&f);
}

static void beat(struct fixture *f)
{
	memset(f->sent, 0, sizeof f->sent);
	leaders_beat(f->host, f->now);
}

Test(leaders, hello_is_said_to_those_that_may_have_missed_it)
{
	struct fixture f;
	setup(&f, LEADERS);
	f.host->leaders.greeted[0] = false;
	f.host->leaders.majority.list[0].heard = f.host->leaders.majority.list[1].heard = f.now;
	f.host->leaders.greeted[1] = f.host->leaders.greeted[2] = true;
	f.host->leaders.majority.list[2].heard = f.now - 2 * SECOND;
	beat(&f);
	cr_assert(f.sent[0][MESSAGE_HELLO] == 1 && f.sent[0][MESSAGE_MEMBERS] == 1 &&
		  f.sent[0][MESSAGE_HEARTBEAT] == 0);
	cr_assert(f.sent[1][MESSAGE_HEARTBEAT] == 1 && f.sent[1][MESSAGE_HELLO] == 0);
	cr_assert(f.sent[2][MESSAGE_HEARTBEAT] == 1);
	f.now++;
	beat(&f);
	cr_assert(f.sent[0][MESSAGE_HEARTBEAT] == 1 && f.sent[2][MESSAGE_HELLO] == 1);
	f.host->replica.membership.durable = false;
	beat(&f);
	cr_assert(f.sent[0][MESSAGE_HEARTBEAT] == 0 && f.sent[2][MESSAGE_HELLO] == 0, "I4");
	teardown(&f);
}

Test(leaders, their_errors_mean_something)
{
	struct fixture f;
	struct message m = {.type = MESSAGE_ERROR, .error = {.code = KUDOS_BUSY}};
	setup(&f, LEADERS);
	hear(&f, 2, &m);
	cr_assert(!f.host->forgotten && f.sent[2][MESSAGE_HELLO] == 0);
	m.error.code = KUDOS_NO_HELLO;
	hear(&f, 2, &m);
	cr_assert(!f.host->forgotten && f.sent[2][MESSAGE_HELLO] == 1 && f.sent[2][MESSAGE_MEMBERS] == 1);
	m.error.code = KUDOS_FORGOTTEN;
	hear(&f, 2, &m);
	cr_assert(f.host->forgotten == KUDOS_FORGOTTEN && f.host->port.malformed == 0);
	hear(&f, 2, &(struct message){.type = MESSAGE_WELCOME});
	cr_assert(f.host->port.malformed == 0);
	teardown(&f);
}

/* ---- peers ---- */

static void say(struct fixture *f, uint64_t node, const struct message *m)
{
	struct bytes b = {0};
	memset(f->to_peer, 0, sizeof f->to_peer);
	message_encode(m, &b);
	cr_assert(peers_receive(f->host, f->now, (struct node){node}, b.data, b.size) == 0);
	bytes_deinit(&b);
}

static void add_peer(struct fixture *f)
{
	const struct member row = {.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"};
	cr_assert(replica_members(&f->host->replica, f->now, (struct node){0}, &row, 1) == 0);
	cr_assert(host_flush(f->host, f->now) == 0);
}

Test(leaders, peers_errors_mean_something)
{
	struct fixture f;
	struct message m = {.type = MESSAGE_ERROR, .error = {.code = KUDOS_FORGOTTEN}};
	setup(&f, 0);
	say(&f, PEER, &m);
	cr_assert(!f.host->forgotten, "it is no member");
	add_peer(&f);
	m.error.code = KUDOS_BUSY;
	say(&f, PEER, &m);
	cr_assert(!f.host->forgotten && f.to_peer[MESSAGE_HELLO] == 0);
	m.error.code = KUDOS_NO_HELLO;
	say(&f, PEER, &m);
	cr_assert(!f.host->forgotten && f.to_peer[MESSAGE_HELLO] == 1);
	say(&f, PEER, &(struct message){.type = MESSAGE_WELCOME});
	cr_assert(f.host->port.malformed == 0);
	m.error.code = KUDOS_FORGOTTEN;
	say(&f, PEER, &m);
	cr_assert(f.host->forgotten == KUDOS_FORGOTTEN);
	teardown(&f);
}

Test(leaders, what_is_not_of_the_protocol_is_counted)
{
	struct fixture f;
	static const char record[] = "\x94\xa6"
				     "record\x01\x01\x01"; /* its batches are no array */
	static const char bad_key[] = "\x94\xa5"
				      "count\x05\x91\xa1 \x90"; /* a key that is a space */
	setup(&f, LEADERS);
	add_peer(&f);
	uint64_t n = 0;
	hear(&f, 0, &(struct message){.type = MESSAGE_PING});
	cr_assert(f.host->port.malformed == ++n);
	cr_assert(leaders_receive(f.host, f.now, 0, "\x01", 1) == 0 && f.host->port.malformed == ++n);
	cr_assert(leaders_receive(f.host, f.now, 0, bad_key, sizeof bad_key - 1) == 0);
	cr_assert(f.host->port.malformed == ++n);
	say(&f, PEER, &(struct message){.type = MESSAGE_PING});
	cr_assert(f.host->port.malformed == ++n);
	cr_assert(peers_receive(f.host, f.now, (struct node){PEER}, "\x01", 1) == 0 &&
		  f.host->port.malformed == ++n);
	cr_assert(peers_published(f.host, f.now, "\x01", 1) == 0 && f.host->port.malformed == ++n);
	cr_assert(peers_published(f.host, f.now, record, sizeof record - 1) == 0 &&
		  f.host->port.malformed == ++n);
	struct bytes b = {0};
	message_encode(&(struct message){.type = MESSAGE_PING}, &b);
	cr_assert(peers_published(f.host, f.now, b.data, b.size) == 0 && f.host->port.malformed == ++n);
	bytes_clear(&b);
	const struct message vector = {.type = MESSAGE_VECTOR,
				       .vector = {.node = {PEER}, .origin = {21}, .serial = 1}};
	message_encode(&vector, &b);
	cr_assert(peers_published(f.host, f.now, b.data, b.size) == 0 && f.host->port.malformed == n);
	cr_assert(peers_find(&f.host->replica.peers, (struct node){PEER})->heard == f.now);
	struct event event = {"~", 2, 1};
	struct batch_box *box = message_make_batch((struct session){7, 1}, 1, &event, 1);
	struct record *one = record_new((struct position){{21}, 1}, &box, 1);
	cr_assert(message_encode_record(one) == 0);
	cr_assert(peers_published(f.host, f.now, one->raw, one->raw_size) == 0);
	cr_assert(f.host->replica.group.incoming_count == 1 && f.host->port.malformed == n);
	*(uint8_t *)memchr(one->raw, '~', one->raw_size) = ' '; /* which is no key */
	cr_assert(peers_published(f.host, f.now, one->raw, one->raw_size) == 0);
	cr_assert(f.host->port.malformed == ++n);
	record_unref(one);
	batch_box_unref(box);
	bytes_deinit(&b);
	teardown(&f);
}
