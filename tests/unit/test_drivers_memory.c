/* SPDX-License-Identifier: MIT */
/* Every allocation of a server, a leader and a client (without their sockets) fails once: nothing leaks, a
 * server stops with -ENOMEM or goes on, a leader and a client get there when they are asked again. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/agent.h"
#include "client/agent_receive.h"
#include "client/watches.h"
#include "core/proof.h"
#include "leader/desk.h"
#include "server/host.h"
#include "store/memory.h"
#include "unit/batch_message.h"
#include "unit/failing_memory.h"
#include "unit/leak.h"
#include "wire/message.h"

#define MANY 10000 /* allocations whose failure only loses a message */
/* … or a checkpoint, of a server's: of all others it hears, and so does who runs it. One more is an error
 * that was swallowed. */
#define SPARED 19

static struct bytes encoded(struct message m)
{
	struct bytes out = {0};
	message_encode(&m, &out);
	cr_assert(!bytes_failed(&out));
	return out;
}

/* The server's own row; it signed the session. */
static const struct member self = {
    .node = {10}, .origin = {1}, .since = 1, .name = "s1", .secret = {{1, 2, 3}}};

static struct bytes encoded_batch(void)
{
	struct event event = {"likes", 3, 5};
	const struct session session = {7, 1};
	return batch_message(session, proof_make(&self, session), 1, &event, 1);
}

static struct message hello(uint64_t node)
{
	return (struct message){.type = MESSAGE_HELLO,
				.hello = {.version = PROTOCOL_VERSION,
					  .is_server = node != 0,
					  .wants_session = node == 0,
					  .node = {node}}};
}

#define TEXT(s)                  \
	(struct text)            \
	{                        \
		s, sizeof(s) - 1 \
	}

/* ---- a server ---- */

struct script {
	struct bytes say[16];
	size_t count;
	unsigned acks; /* that a server sent */
};

static void script_deinit(struct script *s)
{
	for (size_t i = 0; i < s->count; i++)
		bytes_deinit(&s->say[i]);
}

static void to_client(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	enum message_type type;
	struct script *s = arg;
	cr_assert(id_size == 1 && id[0] == 'c' && message_peek(data, size, &type) == 0);
	s->acks += type == MESSAGE_ACK;
}

static void to_peer(void *arg, struct node peer, const void *data, size_t size)
{
	(void)arg, (void)peer, (void)data, (void)size;
}

static void to_leader(void *arg, size_t leader, const void *data, size_t size)
{
	(void)arg, (void)leader, (void)data, (void)size;
}

static void to_all(void *arg, const void *topic, size_t topic_size, const void *data, size_t size)
{
	(void)arg, (void)topic, (void)topic_size, (void)data, (void)size;
}

static void told_members(void *arg, const struct members *members)
{
	(void)arg, (void)members;
}

static int serve(struct host *h, const struct script *s)
{
	const struct text watched[] = {TEXT("likes"), TEXT("other")};
	int64_t now = SECOND;
	int r = host_flush(h, now);
	if (r == 0)
		r = watch_set(&h->watching, &h->replica, 1, watched, 2);
	for (size_t i = 0; r == 0 && i < s->count; i++, now += SECOND) {
		r = host_receive_client(h, now, ROLE_ANY, (const uint8_t *)"c", 1, s->say[i].data,
					s->say[i].size);
		if (r == 0)
			r = host_tick(h, now);
		if (r == 0)
			r = host_flush(h, now);
	}
	if (r == 0)
		host_drain(h, now);
	return r;
}

static int server_life(void *arg)
{
	struct script *s = arg;
	const struct host_config config = {.replica = {.self = self, .seed = 1}};
	const struct host_io io = {s, to_client, to_peer, to_leader, to_all, told_members};
	struct store *store;
	struct host *h;
	char error[200];
	s->acks = 0;
	int r = memory_open(&store);
	if (r == 0)
		r = host_open(&h, &config, store, &io, SECOND, error,
			      sizeof error); /* closes it on failure */
	if (r < 0)
		return r;
	r = serve(h, s);
	cr_assert(s->acks == 0 || counts_get(&h->replica.counts, "likes", 5) == 3);
	host_close(&h);
	return r;
}

Test(drivers_memory, a_server_stops_or_goes_on)
{
	const struct text keys[] = {TEXT("likes")};
	struct position far = {{99}, 9};
	struct script s = {.count = 13};
	s.say[0] = encoded(hello(0));
	s.say[1] = encoded_batch();
	s.say[2] = encoded((struct message){.type = MESSAGE_COUNT, .count = {1, keys, 1, NULL, 0}});
	s.say[3] = encoded((struct message){.type = MESSAGE_COUNT, .count = {2, keys, 1, &far, 1}});
	s.say[4] = encoded((struct message){.type = MESSAGE_STATUS, .status = {3}});
	s.say[5] = encoded((struct message){.type = MESSAGE_CLOSE,
					    .close = {{7, 1}, proof_make(&self, (struct session){7, 1})}});
	s.say[6] = encoded((struct message){.type = MESSAGE_DRAIN, .drain = {4, TEXT("s1")}});
	s.say[7] = encoded((struct message){.type = MESSAGE_PING, .ping = {5}});
	s.say[8] = encoded((struct message){.type = MESSAGE_METRICS, .metrics = {6}});
	s.say[9] = encoded(hello(20)); /* and now as another server */
	s.say[10] = encoded((struct message){.type = MESSAGE_FETCH, .fetch = {{1}, 1, 2}});
	s.say[11] = encoded((struct message){.type = MESSAGE_SNAPSHOT, .snapshot = {7, 0}});
	s.say[12] = encoded((struct message){.type = MESSAGE_SNAPSHOT, .snapshot = {8, 0}});
	cr_assert(fail_each(server_life, &s, SPARED) > 20);
	cr_assert(s.acks == 1, "the last run had all the memory it wanted");
	script_deinit(&s);
	assert_no_leak();
}

/* ---- a leader ---- */

static int keep_nothing(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	(void)arg, (void)id, (void)id_size, (void)data, (void)size;
	return 0;
}

static int leader_life(void *arg)
{
	const struct script *s = arg;
	struct desk desk;
	int first = desk_init(&desk, 1, "tcp://127.0.0.1:5001", keep_nothing, NULL);
	cr_assert(first == 0);
	for (size_t i = 0; i < s->count; i++) {
		const uint8_t *from = (const uint8_t *)(i < 3 ? "s" : "c");
		int r = desk_receive(&desk, SECOND, ROLE_ANY, from, 1, s->say[i].data, s->say[i].size);
		if (r < 0) {
			first = r;
			r = desk_receive(&desk, SECOND, ROLE_ANY, from, 1, s->say[i].data, s->say[i].size);
		}
		cr_assert(r == 0, "message %zu: whole after a failure", i);
		desk_tick(&desk, SECOND);
	}
	cr_assert(desk.directory.members.count == 1 && desk.directory.members.list[0].forgotten);
	desk_deinit(&desk);
	return first;
}

Test(drivers_memory, a_leader_gets_there_when_asked_again)
{
	const struct member row = {.node = {2}, .origin = {200}, .since = 1, .name = "s2"};
	const struct load load = {.serving = true};
	struct script s = {.count = 9};
	s.say[0] = encoded(hello(2));
	s.say[1] = encoded((struct message){.type = MESSAGE_MEMBERS,
					    .members = {.from = {2}, .rows = &row, .row_count = 1}});
	s.say[2] = encoded((struct message){.type = MESSAGE_HEARTBEAT,
					    .heartbeat = {.node = {2}, .origin = {200}, .load = load}});
	s.say[3] = encoded(hello(0));
	s.say[4] = encoded((struct message){.type = MESSAGE_ASSIGN, .assign = {.wants_session = true}});
	s.say[5] = encoded((struct message){.type = MESSAGE_STATUS, .status = {1}});
	s.say[6] = encoded((struct message){.type = MESSAGE_DRAIN, .drain = {2, TEXT("s2")}});
	s.say[7] = encoded((struct message){.type = MESSAGE_FORGET, .forget = {3, TEXT("s2")}});
	s.say[8] = encoded((struct message){.type = MESSAGE_METRICS, .metrics = {4}});
	cr_assert(fail_each(leader_life, &s, MANY) > 10);
	script_deinit(&s);
	assert_no_leak();
}

/* ---- a client ---- */

struct server { /* answers what was said last */
	struct bytes welcome, ack;
	bool hello, batch;
	uint64_t acknowledged;
};

static void heard(void *arg, const void *data, size_t size)
{
	enum message_type type;
	struct server *s = arg;
	cr_assert(message_peek(data, size, &type) == 0);
	s->hello = s->hello || type == MESSAGE_HELLO;
	s->batch = s->batch || type == MESSAGE_BATCH;
}

static void use(void *arg, const char *endpoint)
{
	(void)arg, (void)endpoint;
}

static void result(void *arg, const struct kudos_result *r)
{
	struct server *s = arg;
	cr_assert(r->error == KUDOS_OK && r->first == s->acknowledged + 1);
	s->acknowledged = r->last;
}

static void changed(void *arg, const char *key, int64_t count)
{
	(void)arg, (void)key, (void)count;
}

/* What was lost for lack of memory is said again: a minute is enough for all of it. */
static void converse(struct agent *a, struct server *s)
{
	for (int64_t now = SECOND; now < 60 * SECOND && s->acknowledged < 2; now += 100 * MS) {
		agent_tick(a, now);
		if (s->hello)
			agent_receive_server(a, now, s->welcome.data, s->welcome.size);
		if (s->batch)
			agent_receive_server(a, now, s->ack.data, s->ack.size);
		s->hello = s->batch = false;
	}
	cr_assert(s->acknowledged == 2, "likes get there all the same");
}

static int client_life(void *arg)
{
	struct server *s = arg;
	const struct agent_options options = {.server = "tcp://server", .linger_us = MS};
	const struct agent_io io = {
	    .arg = s, .send_server = heard, .use_server = use, .result = result, .changed = changed};
	uint64_t ticket;
	s->hello = s->batch = false;
	s->acknowledged = 0;
	struct agent *a = agent_new(&options, &io);
	int r = a ? agent_send(a, SECOND, "likes", 5, 1, &ticket) : -ENOMEM;
	if (r == 0)
		r = agent_send(a, SECOND, "other", 5, 1, &ticket);
	if (r == 0)
		r = watches_add(a, SECOND, "likes");
	if (r == 0)
		converse(a, s);
	agent_free(a);
	return r;
}

Test(drivers_memory, a_clients_likes_get_there)
{
	struct range range = {1, 1};
	struct position at = {{4}, 1};
	struct server s = {
	    .welcome = encoded((struct message){
		.type = MESSAGE_WELCOME,
		.welcome = {PROTOCOL_VERSION, {3}, {4}, TEXT("s1"), {7, 1}, {{1}, 2}, true}}),
	    .ack = encoded((struct message){.type = MESSAGE_ACK, .ack = {{7, 1}, &range, 1, &at, 1}})};
	cr_assert(fail_each(client_life, &s, MANY) > 5);
	bytes_deinit(&s.welcome);
	bytes_deinit(&s.ack);
	assert_no_leak();
}
