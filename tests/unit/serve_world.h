/* SPDX-License-Identifier: MIT */
/* The client port, question by question: who is answered what. What comes back is read as the last message.
 */
#ifndef UNIT_SERVE_WORLD_H
#define UNIT_SERVE_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/proof.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"

struct fixture {
	struct host *host;
	int64_t now;
	uint32_t to; /* who was sent the last message */
	size_t sent; /* since forget() */
	struct bytes raw;
	struct message m; /* the last one sent to a connection */
	unsigned to_peer[MESSAGE_TYPE_COUNT], to_leader[MESSAGE_TYPE_COUNT];
};

static inline void forget(struct fixture *f)
{
	if (f->raw.size)
		message_deinit(&f->m);
	bytes_clear(&f->raw);
	f->m = (struct message){.type = MESSAGE_TYPE_COUNT};
	f->sent = 0;
	memset(f->to_peer, 0, sizeof f->to_peer);
	memset(f->to_leader, 0, sizeof f->to_leader);
}

static inline void keep_sent(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	size_t sent = f->sent + 1;
	forget(f);
	f->sent = sent;
	cr_assert(id_size == sizeof f->to);
	memcpy(&f->to, id, sizeof f->to);
	bytes_append(&f->raw, data, size);
	cr_assert(message_decode(f->raw.data, f->raw.size, &f->m) == 0);
}

static inline void note_peer(void *arg, struct node peer, const void *data, size_t size)
{
	struct fixture *f = arg;
	enum message_type type;
	cr_assert(peer.id == PEER && message_peek(data, size, &type) == 0);
	f->to_peer[type]++;
}

static inline void note_leader(void *arg, size_t leader, const void *data, size_t size)
{
	struct fixture *f = arg;
	enum message_type type;
	cr_assert(leader == 0 && message_peek(data, size, &type) == 0);
	f->to_leader[type]++;
}

static inline void flush(struct fixture *f)
{
	cr_assert(host_flush(f->host, f->now) == 0);
}

static inline void setup(struct fixture *f)
{
	const struct host_io io = {f, keep_sent, note_peer, note_leader, drop_published, drop_members};
	*f = (struct fixture){.now = SECOND};
	f->host = make_host((struct host_config){0}, NULL, &io, f->now);
	await_serving(f->host, &f->now);
	forget(f);
}

static inline void teardown(struct fixture *f)
{
	forget(f);
	bytes_deinit(&f->raw);
	host_close(&f->host);
	assert_no_leak();
}

static inline void say_as(struct fixture *f, enum role role, uint32_t who, const struct message *m)
{
	struct bytes b = {0};
	forget(f);
	message_encode(m, &b);
	cr_assert(host_receive_client(f->host, f->now, role, (const uint8_t *)&who, sizeof who, b.data,
				      b.size) == 0);
	bytes_deinit(&b);
}

static inline void say(struct fixture *f, uint32_t who, const struct message *m)
{
	say_as(f, ROLE_ANY, who, m);
}

static inline void hello(struct fixture *f, uint32_t who, uint64_t node)
{
	say(f, who,
	    &(struct message){.type = MESSAGE_HELLO,
			      .hello = {PROTOCOL_VERSION, .is_server = node != 0, .node = {node}}});
}

static inline bool told(const struct fixture *f, int code)
{
	return f->m.type == MESSAGE_ERROR && f->m.error.code == code;
}

static inline void like(struct fixture *f, uint32_t who, uint64_t seq)
{
	struct event event = {"k", 1, 1};
	const struct session session = {77, who};
	struct bytes b = batch_message(session, proof_make(&self, session), seq, &event, 1);
	cr_assert(host_receive_client(f->host, f->now, ROLE_ANY, (const uint8_t *)&who, sizeof who, b.data,
				      b.size) == 0);
	bytes_deinit(&b);
}

static inline struct peer *add_peer(struct fixture *f, const char *name, uint64_t node)
{
	struct member row = {.node = {node}, .origin = {node + 1}, .since = 1};
	snprintf(row.name, sizeof row.name, "%s", name);
	cr_assert(replica_members(&f->host->replica, f->now, (struct node){0}, &row, 1) == 0);
	flush(f);
	forget(f);
	return peers_find(&f->host->replica.peers, row.node);
}

static inline void heard(struct peer *p, int64_t now, bool serving)
{
	p->heard = now;
	p->serving = serving;
}

static inline void say_bytes(struct fixture *f, uint32_t who, const char *bytes, size_t size)
{
	forget(f);
	cr_assert(host_receive_client(f->host, f->now, ROLE_ANY, (const uint8_t *)&who, sizeof who, bytes,
				      size) == 0);
}

#endif
