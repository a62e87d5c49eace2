/* SPDX-License-Identifier: MIT */
/* What clients and peers can make grow in a server, up to its limits, and what they are told there. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/proof.h"
#include "core/repair.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"
#include "server/peers.h"

struct fixture {
	struct host *host;
	int64_t now;
	int code; /* of the last error or refusal that was sent; 0: it was something else */
	size_t sent;
	uint64_t done;		   /* the id of the last "done" that was sent to a client or a leader */
	uint64_t drain;		   /* … of the last drain to a peer */
	char text[LIMIT_TEXT + 1]; /* of the last error */
};

static void keep_sent(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	struct message m;
	(void)id;
	(void)id_size;
	cr_assert(message_decode(data, size, &m) == 0);
	f->done = m.type == MESSAGE_DONE ? m.done.id : f->done;
	f->code = m.type == MESSAGE_ERROR ? m.error.code : m.type == MESSAGE_REFUSED ? m.refused.code : 0;
	if (m.type == MESSAGE_ERROR)
		snprintf(f->text, sizeof f->text, "%.*s", (int)m.error.text.size, m.error.text.data);
	f->sent++;
	message_deinit(&m);
}

static void keep_for_leader(void *arg, size_t leader, const void *data, size_t size)
{
	struct fixture *f = arg;
	struct message m;
	(void)leader;
	cr_assert(message_decode(data, size, &m) == 0);
	f->done = m.type == MESSAGE_DONE ? m.done.id : f->done;
	message_deinit(&m);
}

static void keep_for_peer(void *arg, struct node peer, const void *data, size_t size)
{
	struct fixture *f = arg;
	struct message m;
	cr_assert(peer.id == PEER && message_decode(data, size, &m) == 0);
	f->drain = m.type == MESSAGE_DRAIN ? m.drain.id : f->drain;
	message_deinit(&m);
}

static void setup(struct fixture *f)
{
	const struct host_io io = {.arg = f,
				   .send = keep_sent,
				   .publish = drop_published,
				   .members = drop_members,
				   .send_leader = keep_for_leader,
				   .send_peer = keep_for_peer};
	*f = (struct fixture){.now = SECOND};
	f->host = make_host((struct host_config){0}, NULL, &io, f->now);
	await_serving(f->host, &f->now);
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	assert_no_leak();
}

/* Sends as client `who`; what it is told, as setup() says of code. */
static int say_bytes(struct fixture *f, uint32_t who, const struct bytes *b)
{
	f->code = -1;
	cr_assert(host_receive_client(f->host, f->now, ROLE_ANY, (const uint8_t *)&who, sizeof who, b->data,
				      b->size) == 0);
	return f->code;
}

static int say(struct fixture *f, uint32_t who, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	int code = say_bytes(f, who, &b);
	bytes_deinit(&b);
	return code;
}

static int hello(struct fixture *f, uint32_t who, uint64_t node)
{
	return say(f, who,
		   &(struct message){.type = MESSAGE_HELLO,
				     .hello = {PROTOCOL_VERSION, .is_server = node != 0, .node = {node}}});
}

/* 0: it waits for the next commit; or why it is refused. */
static int like(struct fixture *f, uint32_t who, uint64_t seq, size_t events)
{
	static char key[LIMIT_KEY];
	static struct event list[LIMIT_BATCH_EVENTS];
	const struct session session = {77, who};
	memset(key, 'k', sizeof key);
	for (size_t i = 0; i < events; i++)
		list[i] = (struct event){key, 1, sizeof key};
	struct bytes b = batch_message(session, proof_make(&self, session), seq, list, events);
	const struct replica *r = &f->host->replica;
	const size_t before = r->actions.count;
	say_bytes(f, who, &b);
	bytes_deinit(&b);
	if (r->actions.count == before || r->actions.list[r->actions.count - 1].type != ACTION_REFUSE)
		return 0; /* a refusal goes out with the next flush */
	return r->actions.list[r->actions.count - 1].error;
}

/* The journal was removed, or lies elsewhere: what the checkpoint has is not passed off as a new node's. */
Test(host, refuses_a_checkpoint_without_a_journal)
{
	struct store *store;
	const struct host_config config = {.replica = {.self = self, .seed = 3}};
	const struct host_io io = {0};
	struct host *host = NULL;
	char error[512];
	cr_assert(memory_open(&store) == 0);
	cr_assert(store->ops->checkpoint_begin(store, true) == 0);
	cr_assert(store->ops->checkpoint_put(store, "a", 1, "\0\0\0\0\0\0\0", 8) == 0);
	cr_assert(store->ops->checkpoint_commit(store) == 0);
	cr_assert(store->ops->checkpoint_poll(store) == 0);
	cr_assert(host_open(&host, &config, store, &io, SECOND, error, sizeof error) == -ENODATA);
	cr_assert(!host && strstr(error, "no journal"), "%s", error);
}

/* Made up, or another's: neither its likes nor its close are taken, and nothing of it is kept. */
Test(host, sessions_that_nobody_issued)
{
	struct fixture f;
	struct message close = {.type = MESSAGE_CLOSE, .close = {.session = {77, 1}}};
	setup(&f);
	cr_assert(hello(&f, 1, 0) == 0 && like(&f, 1, 1, 1) == 0);
	cr_assert(host_flush(f.host, f.now) == 0);
	const size_t open = f.host->replica.sessions.seen.count;
	for (uint64_t number = 1; number < 1000; number++) {
		struct event event = {"k", 1, 1};
		struct proof proof = proof_make(&self, (struct session){77, number + 1});
		struct bytes b = batch_message((struct session){77, number}, proof, 2, &event, 1);
		cr_assert(say_bytes(&f, 1, &b) == KUDOS_NOT_ISSUED);
		bytes_deinit(&b);
	}
	close.close.proof = proof_make(&self, (struct session){77, 2});
	cr_assert(say(&f, 1, &close) == KUDOS_NOT_ISSUED);
	close.close.proof.signer.id = 99;
	cr_assert(say(&f, 1, &close) == KUDOS_UNKNOWN_SESSION);
	cr_assert(f.host->replica.sessions.seen.count == open && f.host->port.malformed == 1000);
	cr_assert(f.host->replica.sessions.issuers.count == 1 && f.host->replica.group.pending_count == 0);
	cr_assert(like(&f, 1, 2, 1) == 0, "the session itself goes on");
	teardown(&f);
}

Test(host, clients)
{
	struct fixture f;
	setup(&f);
	for (uint32_t i = 1; i <= LIMIT_CLIENTS; i++)
		cr_assert(hello(&f, i, 0) == 0);
	cr_assert(hello(&f, LIMIT_CLIENTS + 1, 0) == KUDOS_BUSY);
	cr_assert(hello(&f, 7, 0) == 0, "one that is there may say it again");
	cr_assert(hello(&f, LIMIT_CLIENTS + 1, PEER) == 0, "servers are not clients");

	/* All of them come back by other connections, before anybody knows that the old ones have gone. */
	f.now += 11 * SECOND;
	for (uint32_t i = 1; i <= LIMIT_CLIENTS; i++)
		cr_assert(hello(&f, 100000 + i, 0) == 0);
	cr_assert(hello(&f, 99999, 0) == KUDOS_BUSY);
	cr_assert(f.host->port.connections.clients == LIMIT_CLIENTS);
	cr_assert(say(&f, 7, &(struct message){.type = MESSAGE_PING, .ping = {1}}) == KUDOS_NO_HELLO);
	teardown(&f);
}

Test(host, servers)
{
	struct fixture f;
	setup(&f);
	for (uint32_t i = 1; i <= LIMIT_MEMBERS; i++)
		cr_assert(hello(&f, i, 1000 + i) == 0);
	cr_assert(hello(&f, 5000, 5000) == KUDOS_BUSY);
	cr_assert(hello(&f, 5000, 0) == 0);
	f.now += 11 * SECOND;
	cr_assert(hello(&f, 5001, 5001) == 0);
	cr_assert(f.host->port.connections.by_id.count == LIMIT_MEMBERS + 1);
	teardown(&f);
}

Test(host, batches_that_wait_for_the_disk)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	uint64_t seq = 1;
	while (seq < 2000 && like(&f, 1, seq, 480) == 0)
		seq++;
	cr_assert(like(&f, 1, seq, 480) == KUDOS_BUSY);
	cr_assert(f.host->replica.group.pending_bytes <= LIMIT_PENDING_BYTES);
	cr_assert(f.host->replica.group.pending_bytes > LIMIT_PENDING_BYTES - LIMIT_BATCH_BYTES);
	while (f.host->replica.group.pending_count > 0)
		cr_assert(host_flush(f.host, f.now) == 0);
	cr_assert(like(&f, 1, seq, 480) == 0, "the same again, later");
	teardown(&f);
}

Test(host, batch_numbers_with_holes)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	for (uint64_t i = 1; i <= LIMIT_SEEN_INTERVALS; i++)
		cr_assert(like(&f, 1, 2 * i, 1) == 0);
	cr_assert(like(&f, 1, 2 * LIMIT_SEEN_INTERVALS + 2, 1) == KUDOS_BUSY);
	hello(&f, 2, 0);
	cr_assert(like(&f, 2, 1, 1) == 0, "others are not concerned");
	teardown(&f);
}

Test(host, reads_that_wait)
{
	struct fixture f;
	setup(&f);
	hello(&f, 1, 0);
	struct text key = {"k", 1};
	const struct position never = {{99}, 5};
	struct message m = {
	    .type = MESSAGE_COUNT,
	    .count = {.keys = &key, .key_count = 1, .positions = &never, .position_count = 1}};
	for (m.count.id = 1; m.count.id <= LIMIT_READS_WAITING; m.count.id++)
		cr_assert(say(&f, 1, &m) == -1);
	cr_assert(say(&f, 1, &m) == KUDOS_BUSY);
	f.now += 3 * SECOND; /* they have waited long enough */
	f.sent = 0;
	cr_assert(host_flush(f.host, f.now) == 0);
	cr_assert(f.sent == LIMIT_READS_WAITING && f.code == KUDOS_BEHIND);
	cr_assert(f.host->reads.count == 0 && f.host->reads.bytes == 0);

	/* Large ones are counted by their bytes. */
	struct text keys[LIMIT_READ_KEYS];
	char long_key[LIMIT_KEY];
	memset(long_key, 'k', sizeof long_key);
	for (int i = 0; i < LIMIT_READ_KEYS; i++)
		keys[i] = (struct text){long_key, sizeof long_key};
	m.count.keys = keys;
	m.count.key_count = LIMIT_READ_KEYS;
	for (int i = 0; i < LIMIT_READS_WAITING && say(&f, 1, &m) == -1; i++)
		;
	cr_assert(f.code == KUDOS_BUSY && f.host->reads.bytes <= LIMIT_READS_BYTES);
	cr_assert(f.host->reads.count < LIMIT_READS_WAITING);
	teardown(&f);
}

/* A peer's records beyond a gap. */
Test(host, records_that_wait)
{
	struct fixture f;
	setup(&f);
	struct event events[480];
	char key[LIMIT_KEY];
	memset(key, 'k', sizeof key);
	for (size_t i = 0; i < 480; i++)
		events[i] = (struct event){key, 1, sizeof key};
	struct batch_box *boxes[12];
	for (uint64_t i = 0; i < 12; i++)
		boxes[i] = message_make_batch((struct session){77, 1}, i + 1, events, 480);
	for (uint64_t lsn = 2; lsn < 150; lsn++) {
		struct record *record = record_new((struct position){{PEER}, lsn}, boxes, 12);
		cr_assert(record && message_encode_record(record) == 0);
		cr_assert(replica_record(&f.host->replica, f.now, record, false) == 0);
		record_unref(record);
	}
	const struct replica *r = &f.host->replica;
	cr_assert(r->logs.waiting_bytes <= LIMIT_REORDER_BYTES);
	cr_assert(r->logs.waiting_bytes > LIMIT_REORDER_BYTES - LIMIT_MESSAGE, "%zu",
		  (size_t)r->logs.waiting_bytes);
	for (int i = 0; i < 12; i++)
		batch_box_unref(boxes[i]);
	teardown(&f);
}

/* Peers' records, to be synced together. */
Test(host, records_wait_for_more_unless_somebody_looks)
{
	struct fixture f;
	setup(&f);
	const struct member row = {.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"};
	const struct position never = {{99}, 5};
	struct replica *r = &f.host->replica;
	struct text key = {"k", 1};
	cr_assert(replica_members(r, f.now, (struct node){0}, &row, 1) == 0);
	cr_assert(host_flush(f.host, f.now) == 0 && host_tick(f.host, f.now) == 0);
	r->config.lazy = 5 * MS;
	hello(&f, 1, 0);
	r->config.ack_peers = 1;
	cr_assert(!host_is_patient(f.host), "others may wait for what is here");
	r->config.ack_peers = 0;
	r->ready.phase = PHASE_CATCHING_UP;
	cr_assert(!host_is_patient(f.host), "it waits itself");
	r->ready.phase = PHASE_SERVING;
	for (uint64_t lsn = 1; lsn <= 3; lsn++) {
		struct event event = {"k", 1, 1};
		struct batch_box *box = message_make_batch((struct session){21, 1}, lsn, &event, 1);
		struct record *record = record_new((struct position){{21}, lsn}, &box, 1);
		cr_assert(record && message_encode_record(record) == 0);
		if (lsn == 2)
			cr_assert(watch_set(&f.host->watching, r, 1, &key, 1) == 0);
		if (lsn == 3) {
			watch_end_all(&f.host->watching);
			say(&f, 1,
			    &(struct message){.type = MESSAGE_COUNT, .count = {1, &key, 1, &never, 1}});
		}
		cr_assert(f.host->watching.count == (lsn == 2) && f.host->reads.count == (lsn == 3));
		cr_assert(host_is_patient(f.host) == (lsn == 1));
		cr_assert(replica_record(r, f.now, record, false) == 0);
		for (int i = 0; lsn == 1 && i < 2; i++) {
			cr_assert(host_flush(f.host, f.now) == 0 && vector_get(&r->v, row.origin) == 0);
			cr_assert(host_deadline(f.host) == f.now + (i ? 1 : 5 * MS));
			f.now += i ? 1 : 5 * MS - 1;
		}
		cr_assert(host_flush(f.host, f.now) == 0 && vector_get(&r->v, row.origin) == lsn);
		record_unref(record);
		batch_box_unref(box);
	}
	teardown(&f);
}

static void hear(struct fixture *f, bool leader, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	if (leader)
		cr_assert(leaders_receive(f->host, f->now, 0, b.data, b.size) == 0);
	else
		cr_assert(peers_receive(f->host, f->now, (struct node){PEER}, b.data, b.size) == 0);
	bytes_deinit(&b);
}

Test(host, confirms_to_a_leader_that_it_drains)
{
	struct fixture f;
	setup(&f);
	hear(&f, true, &(struct message){.type = MESSAGE_DRAIN, .drain = {8, {"another", 7}}});
	cr_assert(f.done == 0 && !f.host->drains.wanted);
	for (uint64_t id = 9; id < 11; id++) { /* again, when the answer was lost */
		hear(&f, true, &(struct message){.type = MESSAGE_DRAIN, .drain = {id, {"s", 1}}});
		cr_assert(f.done == id && f.host->drains.wanted);
	}
	teardown(&f);
}

Test(host, a_drain_that_is_passed_on_is_done_when_the_other_says_so)
{
	struct fixture f;
	setup(&f);
	const struct member row = {.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"};
	cr_assert(replica_members(&f.host->replica, f.now, (struct node){0}, &row, 1) == 0);
	cr_assert(host_flush(f.host, f.now) == 0);
	peers_find(&f.host->replica.peers, row.node)->heard = f.now;
	hello(&f, 5, 0);
	say(&f, 5, &(struct message){.type = MESSAGE_DRAIN, .drain = {7, {"s2", 2}}});
	uint64_t id = f.drain;
	cr_assert(id != 0 && f.code == -1, "told, and not answered");
	hear(&f, false, &(struct message){.type = MESSAGE_DONE, .done = {id + 1}});
	cr_assert(f.done == 0, "what was meant for a former run is not its confirmation");
	f.drain = 0;
	f.now += SECOND;
	cr_assert(host_tick(f.host, f.now) == 0 && f.drain == id, "it is told again");
	hear(&f, false, &(struct message){.type = MESSAGE_DONE, .done = {id}});
	cr_assert(f.done == 7);

	/* Who does not confirm: an error, in time. */
	peers_find(&f.host->replica.peers, row.node)->heard = f.now;
	say(&f, 5, &(struct message){.type = MESSAGE_DRAIN, .drain = {8, {"s2", 2}}});
	f.now += 3 * SECOND;
	cr_assert(host_tick(f.host, f.now) == 0);
	cr_assert(f.code == KUDOS_NO_SERVER && f.done == 7 && strstr(f.text, "not confirmed it"));

	/* Who is another run by then, or is forgotten, need not be told. */
	for (int i = 0; i < 2; i++) {
		const struct member other = {.node = {PEER}, .origin = {22}, .since = 2, .name = "s2"};
		peers_find(&f.host->replica.peers, row.node)->heard = f.now;
		say(&f, 5, &(struct message){.type = MESSAGE_DRAIN, .drain = {9, {"s2", 2}}});
		cr_assert(f.code == -1);
		if (i == 0)
			cr_assert(replica_members(&f.host->replica, f.now, (struct node){0}, &other, 1) == 0);
		else
			cr_assert(replica_forget(&f.host->replica, row.node) == 0);
		cr_assert(host_flush(f.host, f.now) == 0);
		f.now += SECOND;
		f.drain = 0;
		cr_assert(host_tick(f.host, f.now) == 0 && f.drain == 0);
		cr_assert(f.code == KUDOS_NO_SERVER && strstr(f.text, "ended, or was started again"));
	}
	teardown(&f);
}
