/* SPDX-License-Identifier: MIT */
/* The leader's conversations, over a network of one array. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kudos.h"
#include "leader/desk.h"
#include "wire/message.h"

enum { SENT_MAX = 64 };

struct fixture {
	struct desk desk;
	struct {
		char to[8];
		struct bytes bytes;
	} sent[SENT_MAX];
	size_t sent_count;
	int refuse; /* what the next sends answer, when not 0 */
};

static int keep(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	if (f->refuse)
		return f->refuse;
	cr_assert(f->sent_count < SENT_MAX && id_size < sizeof f->sent[0].to);
	memset(f->sent[f->sent_count].to, 0, sizeof f->sent[0].to);
	memcpy(f->sent[f->sent_count].to, id, id_size);
	bytes_append(&f->sent[f->sent_count++].bytes, data, size);
	return 0;
}

static void forget_sent(struct fixture *f)
{
	while (f->sent_count > 0)
		bytes_deinit(&f->sent[--f->sent_count].bytes);
}

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	cr_assert(desk_init(&f->desk, 0xfeed, "tcp://127.0.0.1:5001", keep, f) == 0);
}

static void teardown(struct fixture *f)
{
	forget_sent(f);
	desk_deinit(&f->desk);
}

static int receive_bytes(struct fixture *f, int64_t now, const char *from, const void *data, size_t size)
{
	return desk_receive(&f->desk, now, ROLE_ANY, (const uint8_t *)from, strlen(from), data, size);
}

static void receive(struct fixture *f, int64_t now, const char *from, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	cr_assert(receive_bytes(f, now, from, b.data, b.size) == 0);
	bytes_deinit(&b);
}

/* What was sent at place i, in short: "c1 error no-hello"; "" when nothing. */
static const char *sent(const struct fixture *f, size_t i, char text[128])
{
	struct message m;
	text[0] = '\0';
	if (i >= f->sent_count)
		return text;
	cr_assert(message_decode(f->sent[i].bytes.data, f->sent[i].bytes.size, &m) == 0);
	const char *more = "";
	if (m.type == MESSAGE_ERROR)
		more = kudos_error_code(m.error.code);
	if (m.type == MESSAGE_HEARD)
		more = m.heard.known ? "known" : "unknown";
	char count[32] = "";
	if (m.type == MESSAGE_MEMBERS)
		snprintf(count, sizeof count, "%zu", m.members.row_count);
	snprintf(text, 128, "%s %s%s%s%s", f->sent[i].to, message_type_name(m.type),
		 *more || *count ? " " : "", more, count);
	message_deinit(&m);
	return text;
}

static void expect(struct fixture *f, const char *const *lines)
{
	char text[128];
	size_t i = 0;
	for (; lines[i]; i++)
		cr_assert_str_eq(sent(f, i, text), lines[i]);
	cr_assert_str_eq(sent(f, i, text), "");
	forget_sent(f);
}
#define EXPECT(f, ...) expect(f, (const char *const[]){__VA_ARGS__, NULL})

static void hello(struct fixture *f, int64_t now, const char *from, uint64_t node)
{
	struct message m = {.type = MESSAGE_HELLO,
			    .hello = {.version = PROTOCOL_VERSION, .is_server = node != 0, .node = {node}}};
	receive(f, now, from, &m);
}

static void register_node(struct fixture *f, int64_t now, const char *from, uint64_t node)
{
	struct member row = {.node = {node}, .origin = {node * 100}, .since = 1};
	snprintf(row.name, sizeof row.name, "s%u", (unsigned)node);
	struct message m = {.type = MESSAGE_MEMBERS,
			    .members = {.from = {node}, .rows = &row, .row_count = 1}};
	receive(f, now, from, &m);
}

static void beat(struct fixture *f, int64_t now, const char *from, uint64_t node)
{
	struct message m = {.type = MESSAGE_HEARTBEAT,
			    .heartbeat = {.node = {node}, .origin = {node * 100}, .load = {.serving = true}}};
	receive(f, now, from, &m);
}

static void send_simple(struct fixture *f, int64_t now, const char *from, enum message_type type)
{
	struct message m = {.type = type};
	receive(f, now, from, &m);
}

static void start_two(struct fixture *f)
{
	setup(f);
	hello(f, 0, "a", 1);
	register_node(f, 0, "a", 1);
	hello(f, 0, "b", 2);
	register_node(f, 0, "b", 2);
	desk_tick(&f->desk, 0);
	forget_sent(f);
}

Test(desk, wants_hello_with_its_version_first)
{
	struct fixture f;
	setup(&f);
	send_simple(&f, 0, "c", MESSAGE_STATUS);
	EXPECT(&f, "c error no-hello");
	struct message m = {.type = MESSAGE_HELLO, .hello = {.version = 7}};
	receive(&f, 0, "c", &m);
	cr_assert(message_decode(f.sent[0].bytes.data, f.sent[0].bytes.size, &m) == 0);
	char text[LIMIT_TEXT + 1] = "";
	memcpy(text, m.error.text.data, m.error.text.size);
	cr_assert(strstr(text, "version 7") && strstr(text, "version 3"), "%s", text);
	message_deinit(&m);
	EXPECT(&f, "c error version");
	hello(&f, 0, "c", 0);
	send_simple(&f, 0, "c", MESSAGE_STATUS);
	send_simple(&f, 0, "c", MESSAGE_PING);
	EXPECT(&f, "c welcome", "c state", "c pong");
	teardown(&f);
}

/* What the leader tells of itself, "of" of it; -1: nothing. */
static int64_t measured(struct fixture *f, int64_t now, const char *name, const char *of)
{
	struct message m;
	int64_t value = -1;
	forget_sent(f);
	send_simple(f, now, "c", MESSAGE_METRICS);
	cr_assert(f->sent_count == 1 &&
		  message_decode(f->sent[0].bytes.data, f->sent[0].bytes.size, &m) == 0);
	cr_assert(m.type == MESSAGE_MEASURED);
	for (size_t i = 0; i < m.measured.count; i++) {
		const struct metric *metric = &m.measured.metrics[i];
		if (metric->name.size != strlen(name) || memcmp(metric->name.data, name, strlen(name)) != 0)
			continue;
		for (size_t j = 0; j < metric->count; j++) {
			const struct metric_sample *s = &metric->samples[j];
			if (s->of.size == strlen(of) && memcmp(s->of.data, of, strlen(of)) == 0)
				value = s->value;
		}
	}
	message_deinit(&m);
	forget_sent(f);
	return value;
}

Test(desk, tells_what_it_has_done)
{
	struct fixture f;
	start_two(&f);
	hello(&f, 0, "c", 0);
	cr_assert(measured(&f, 0, "servers", "up") == 0 && measured(&f, 0, "servers", "catching-up") == 2);
	beat(&f, 0, "a", 1);
	cr_assert(measured(&f, 0, "servers", "up") == 1);
	send_simple(&f, 0, "c", MESSAGE_ASSIGN);
	receive(&f, 0, "c", &(struct message){.type = MESSAGE_ASSIGN, .assign = {.wants_session = true}});
	cr_assert(measured(&f, 0, "assigned_total", "") == 2 && measured(&f, 0, "sessions_total", "") == 1);
	cr_assert(measured(&f, 0, "messages_total", "assign") == 2);
	cr_assert(measured(&f, 0, "messages_total", "hello") == 3 && measured(&f, 0, "connections", "") == 3);
	cr_assert(measured(&f, 0, "errors_total", "protocol") == 0);
	cr_assert(receive_bytes(&f, 0, "x", "garbage", 7) == 0);
	cr_assert(measured(&f, 0, "errors_total", "protocol") == 1);
	cr_assert(measured(&f, 0, "malformed_total", "") == 1);
	cr_assert(measured(&f, 10 * SECOND, "servers", "down") == 2);
	receive(&f, 0, "c", &(struct message){.type = MESSAGE_FORGET, .forget = {1, {"s2", 2}}});
	cr_assert(measured(&f, 0, "forgotten_servers", "") == 1);
	teardown(&f);
}

Test(desk, answers_what_is_not_of_the_protocol)
{
	struct fixture f;
	setup(&f);
	cr_assert(receive_bytes(&f, 0, "x", "garbage", 7) == 0);
	cr_assert(receive_bytes(&f, 0, "x", "", 0) == 0);
	cr_assert(receive_bytes(&f, 0, "x", "\xdd\xff\xff\xff\xff", 5) == 0);
	EXPECT(&f, "x error protocol", "x error protocol", "x error protocol");
	hello(&f, 0, "c", 0);
	send_simple(&f, 0, "c", MESSAGE_PONG);
	register_node(&f, 0, "c", 1);
	beat(&f, 0, "c", 1);
	EXPECT(&f, "c welcome", "c error protocol", "c error protocol", "c error protocol");
	cr_assert(f.desk.port.malformed == 6);

	hello(&f, 0, "s", 1);
	register_node(&f, 0, "s", 2);
	beat(&f, 0, "s", 2);
	EXPECT(&f, "s welcome", "s error protocol", "s error protocol");
	teardown(&f);
}

Test(desk, answers_a_registration_and_pushes_to_the_others_once)
{
	struct fixture f;
	setup(&f);
	hello(&f, 0, "a", 1);
	register_node(&f, 0, "a", 1);
	EXPECT(&f, "a welcome", "a members 1");
	desk_tick(&f.desk, 0);
	cr_assert(f.sent_count == 0);
	for (uint64_t i = 2; i <= 3; i++) {
		char name[2] = {(char)('a' + i - 1), '\0'};
		hello(&f, 0, name, i);
		register_node(&f, 0, name, i);
	}
	EXPECT(&f, "b welcome", "b members 2", "c welcome", "c members 3");
	cr_assert(desk_deadline(&f.desk) == 0);
	desk_tick(&f.desk, 0);
	EXPECT(&f, "a members 3", "b members 3");
	cr_assert(desk_deadline(&f.desk) > 0);
	register_node(&f, 0, "a", 1);
	EXPECT(&f, "a members 3");
	desk_tick(&f.desk, 0);
	cr_assert(f.sent_count == 0, "nothing new, no push");
	teardown(&f);
}

Test(desk, repeats_a_push_that_did_not_go_out)
{
	struct fixture f;
	start_two(&f);
	hello(&f, 0, "c", 3);
	register_node(&f, 0, "c", 3);
	forget_sent(&f);
	f.refuse = KUDOS_BUSY;
	desk_tick(&f.desk, 0);
	cr_assert(desk_deadline(&f.desk) > 0, "no spinning");
	f.refuse = 0;
	desk_tick(&f.desk, 0);
	cr_assert(f.sent_count == 0);
	beat(&f, 0, "a", 1);
	beat(&f, 0, "a", 1);
	EXPECT(&f, "a heard known", "a members 3", "a heard known");
	teardown(&f);
}

Test(desk, a_server_that_connects_anew_registers_anew)
{
	struct fixture f;
	start_two(&f);
	beat(&f, 0, "a", 1);
	beat(&f, 0, "a2", 1);
	hello(&f, 0, "a2", 1);
	beat(&f, 0, "a2", 1);
	EXPECT(&f, "a heard known", "a2 error no-hello", "a2 welcome", "a2 heard unknown");
	register_node(&f, 0, "a2", 1);
	beat(&f, 0, "a2", 1);
	beat(&f, 0, "a", 1);
	EXPECT(&f, "a2 members 2", "a2 heard known", "a heard unknown");
	teardown(&f);
}

Test(desk, assigns_only_servers_that_are_up)
{
	struct fixture f;
	start_two(&f);
	hello(&f, 0, "x", 0);
	struct message m = {.type = MESSAGE_ASSIGN, .assign = {.wants_session = true}};
	receive(&f, 0, "x", &m);
	EXPECT(&f, "x welcome", "x error no-server");
	beat(&f, 0, "b", 2);
	forget_sent(&f);
	receive(&f, 0, "x", &m);
	cr_assert(message_decode(f.sent[0].bytes.data, f.sent[0].bytes.size, &m) == 0);
	cr_assert(m.type == MESSAGE_ASSIGNED && m.assigned.server_count == 1);
	cr_assert(m.assigned.servers[0].node.id == 2);
	cr_assert(m.assigned.session.issuer == 0xfeed && m.assigned.session.number == 1);
	message_deinit(&m);
	teardown(&f);
}

Test(desk, tells_everyone_of_the_forgotten_before_done)
{
	struct fixture f;
	start_two(&f);
	hello(&f, 0, "x", 0);
	struct message m = {.type = MESSAGE_FORGET, .forget = {.id = 5, .target = {"s2", 2}}};
	receive(&f, 0, "x", &m);
	beat(&f, 0, "b", 2);
	register_node(&f, 0, "b", 2);
	EXPECT(&f, "x welcome", "a members 2", "b members 2", "x done", "b error forgotten",
	       "b error forgotten");
	receive(&f, 0, "x", &m);
	EXPECT(&f, "x error unknown-node");
	teardown(&f);
}

/* The id under which the drain at place i was passed on to s2. */
static uint64_t drain_at(const struct fixture *f, size_t i)
{
	struct message told;
	cr_assert(f->sent_count > i &&
		  message_decode(f->sent[i].bytes.data, f->sent[i].bytes.size, &told) == 0);
	cr_assert(told.type == MESSAGE_DRAIN && told.drain.id != 0 && told.drain.target.size == 16);
	cr_assert(memcmp(told.drain.target.data, "0000000000000002", 16) == 0);
	uint64_t id = told.drain.id;
	message_deinit(&told);
	return id;
}

Test(desk, passes_on_that_a_server_is_to_drain)
{
	struct fixture f;
	start_two(&f);
	hello(&f, 0, "x", 0);
	forget_sent(&f);
	const struct message m = {.type = MESSAGE_DRAIN, .drain = {.id = 5, .target = {"s2", 2}}};
	receive(&f, 0, "x", &m);
	const uint64_t first = drain_at(&f, 0);
	EXPECT(&f, "b drain");
	receive(&f, 0, "x", &m);
	EXPECT(&f, NULL);

	/* The connection broke just then: it is said again. Only the server's own word for it makes it done.
	 */
	beat(&f, SECOND, "a", 1);
	beat(&f, SECOND, "b", 2);
	forget_sent(&f);
	desk_tick(&f.desk, SECOND);
	cr_assert(drain_at(&f, 0) == first);
	EXPECT(&f, "b drain");
	receive(&f, SECOND, "a", &(struct message){.type = MESSAGE_DONE, .done = {first}});
	receive(&f, SECOND, "b", &(struct message){.type = MESSAGE_DONE, .done = {first + 1}});
	EXPECT(&f, NULL);
	receive(&f, SECOND, "b", &(struct message){.type = MESSAGE_DONE, .done = {first}});
	EXPECT(&f, "x done");
	desk_tick(&f.desk, 3 * SECOND / 2);
	EXPECT(&f, NULL);

	receive(&f, SECOND, "x", &(struct message){.type = MESSAGE_DRAIN, .drain = {6, {"s3", 2}}});
	EXPECT(&f, "x error unknown-node");
	beat(&f, 3 * SECOND, "a", 1);
	receive(&f, 3 * SECOND, "x", &m);
	receive(&f, 3 * SECOND, "b", &m);
	EXPECT(&f, "a heard known", "x error no-server", "b error no-server");
	teardown(&f);
}

Test(desk, a_drain_is_not_for_the_next_run)
{
	struct fixture f;
	start_two(&f);
	hello(&f, 0, "x", 0);
	receive(&f, 0, "x",
		&(struct message){.type = MESSAGE_DRAIN, .drain = {.id = 5, .target = {"s2", 2}}});
	const struct member again = {.node = {2}, .origin = {201}, .since = 9, .name = "s2"};
	receive(&f, SECOND, "b",
		&(struct message){.type = MESSAGE_MEMBERS,
				  .members = {.from = {2}, .rows = &again, .row_count = 1}});
	forget_sent(&f);
	desk_tick(&f.desk, SECOND);
	EXPECT(&f, "a members 2", "x error no-server");
	cr_assert(passed_deadline(&f.desk.drains) == NEVER);
	teardown(&f);
}

Test(desk, says_when_a_drain_was_not_confirmed)
{
	struct fixture f;
	start_two(&f);
	hello(&f, 0, "x", 0);
	forget_sent(&f);
	receive(&f, 0, "x",
		&(struct message){.type = MESSAGE_DRAIN, .drain = {.id = 5, .target = {"s2", 2}}});
	f.refuse = KUDOS_BUSY; /* and nothing goes out to it again */
	desk_tick(&f.desk, SECOND);
	f.refuse = 0;
	forget_sent(&f);
	desk_tick(&f.desk, 3 * SECOND);
	EXPECT(&f, "x error no-server");
	cr_assert(passed_deadline(&f.desk.drains) == NEVER);
	teardown(&f);
}

Test(desk, forgets_idle_connections)
{
	struct fixture f;
	setup(&f);
	hello(&f, 0, "x", 0);
	hello(&f, 1 * SECOND, "y", 0);
	send_simple(&f, 2 * SECOND, "x", MESSAGE_PING);
	forget_sent(&f);
	cr_assert(desk_deadline(&f.desk) == 61 * SECOND + 1);
	desk_tick(&f.desk, 61 * SECOND + 1);
	send_simple(&f, 61 * SECOND + 1, "y", MESSAGE_PING);
	send_simple(&f, 61 * SECOND + 1, "x", MESSAGE_PING);
	EXPECT(&f, "y error no-hello", "x pong");
	cr_assert(f.desk.port.connections.by_id.count == 1);
	teardown(&f);
}

Test(desk, bounds_its_connections)
{
	struct fixture f;
	setup(&f);
	for (int i = 0; i < LIMIT_CONNECTIONS + 10; i++) {
		char name[8];
		snprintf(name, sizeof name, "%d", i);
		hello(&f, i, name, 0);
		forget_sent(&f);
	}
	cr_assert(f.desk.port.connections.by_id.count == LIMIT_CONNECTIONS);
	send_simple(&f, LIMIT_CONNECTIONS + 10, "9", MESSAGE_PING);
	send_simple(&f, LIMIT_CONNECTIONS + 10, "10", MESSAGE_PING);
	EXPECT(&f, "9 error no-hello", "10 pong");
	teardown(&f);
}

Test(desk, forwards_a_failed_send_and_stays_whole)
{
	struct fixture f;
	setup(&f);
	hello(&f, 0, "x", 0);
	forget_sent(&f);
	struct bytes b = {0};
	message_encode(&(struct message){.type = MESSAGE_PING}, &b);
	f.refuse = -EIO;
	cr_assert(receive_bytes(&f, 0, "x", b.data, b.size) == -EIO);
	f.refuse = KUDOS_NO_SERVER;
	cr_assert(receive_bytes(&f, 0, "x", b.data, b.size) == 0);
	f.refuse = 0;
	cr_assert(receive_bytes(&f, 0, "x", b.data, b.size) == 0);
	EXPECT(&f, "x pong");
	bytes_deinit(&b);
	teardown(&f);
}
