/* SPDX-License-Identifier: MIT */
/* The client port: clients' batches, reads and questions; other servers' fetches, snapshots and membership.
 * One handler a message type; who asks must have said hello. */
#include "server/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/time.h"
#include "core/lifetime.h"
#include "core/proof.h"
#include "kudos.h"

#define ACTIVE (10 * SECOND) /* clients heard within it are told as this server's load */
#define READS_INTERVAL (50 * MS)
#define READ_WAIT (2 * SECOND)		    /* how long a read waits for a position */
#define FETCH_BYTES (LIMIT_MESSAGE - 65536) /* of records in one answer */
_Static_assert(LIMIT_RECORD_BYTES + 8 <= FETCH_BYTES, "one record at least");

struct request {
	struct host *h;
	int64_t now;
	struct connection *from;
	const struct message *m;
};

static struct text text_of(const char *s)
{
	return (struct text){s, strlen(s)};
}

/* ---- hello ---- */

static int welcome(struct host *h, const struct connection *c, struct session session)
{
	const struct member *self = members_find(&h->replica.staged, h->config.self.node);
	struct proof proof = session.number ? proof_make(self, session) : (struct proof){0};
	struct message m = {.type = MESSAGE_WELCOME,
			    .welcome = {.version = PROTOCOL_VERSION,
					.node = h->config.self.node,
					.origin = h->config.self.origin,
					.name = text_of(h->config.self.name),
					.session = session,
					.proof = proof,
					.serving = h->replica.phase == PHASE_SERVING}};
	host_answer(h, c->handle, &m);
	return 0;
}

/* An error to one who has no connection yet. */
static void turn_away(struct host *h, const uint8_t *id, size_t id_size, int code, const char *text)
{
	struct message m = {.type = MESSAGE_ERROR, .error = {.code = code, .text = text_of(text)}};
	metrics_answered(&h->metrics, &m);
	bytes_clear(&h->out);
	message_encode(&m, &h->out);
	if (!bytes_failed(&h->out))
		h->io.send(h->io.arg, id, id_size, h->out.data, h->out.size);
}

static bool node_forgotten(const struct host *h, struct node node)
{
	const struct member *m = members_find(&h->replica.members, node);
	return m && m->forgotten;
}

/* Whether there is room for one more. Nobody tells when a connection ends: of those that have been silent for
 * a while the oldest makes room, or all clients that come back at once, after a break in the network, would
 * be turned away until their former selves are forgotten. One that is there still says hello again. */
static bool make_room(struct host *h, int64_t now, bool is_server)
{
	struct connections *all = &h->connections;
	size_t servers = all->by_id.count - all->clients;
	if (is_server ? servers < LIMIT_MEMBERS : all->clients < LIMIT_CLIENTS)
		return true;
	struct connection *c = all->oldest;
	while (c && (c->node.id != 0) != is_server)
		c = c->newer;
	if (!c || now - c->heard < ACTIVE)
		return false;
	connections_close(all, c);
	return true;
}

static int on_hello(struct host *h, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		    const struct message *m)
{
	char text[LIMIT_TEXT];
	if (m->hello.is_server && role < ROLE_SERVER) {
		host_malformed(h, now, "a client", KUDOS_FORBIDDEN);
		turn_away(h, id, id_size, KUDOS_FORBIDDEN, kudos_error_text(KUDOS_FORBIDDEN));
		return 0;
	}
	if (m->hello.version != PROTOCOL_VERSION) {
		snprintf(
		    text, sizeof text,
		    "protocol version %llu is not known here: server %s (kudos-server %s) speaks version %d",
		    (unsigned long long)m->hello.version, h->config.self.name, KUDOS_VERSION,
		    PROTOCOL_VERSION);
		turn_away(h, id, id_size, KUDOS_BAD_VERSION, text);
		return 0;
	}
	if (m->hello.is_server && node_forgotten(h, m->hello.node)) {
		turn_away(h, id, id_size, KUDOS_FORGOTTEN, kudos_error_text(KUDOS_FORGOTTEN));
		return 0;
	}
	struct connection *c = connections_find(&h->connections, id, id_size);
	if (!c && !make_room(h, now, m->hello.is_server)) {
		snprintf(text, sizeof text, "server %s has %d %s, its limit: try another server",
			 h->config.self.name, m->hello.is_server ? LIMIT_MEMBERS : LIMIT_CLIENTS,
			 m->hello.is_server ? "servers" : "clients");
		turn_away(h, id, id_size, KUDOS_BUSY, text);
		return 0;
	}
	c = connections_open(&h->connections, now, id, id_size,
			     m->hello.is_server ? m->hello.node : (struct node){0});
	if (!c)
		return -ENOMEM;
	struct session session = {0};
	if (m->hello.wants_session && h->replica.meta_durable)
		session = (struct session){lifetime_issuer(h->config.self.origin.id, 0), ++h->sessions_given};
	return welcome(h, c, session);
}

/* ---- clients ---- */

static void refuse(struct host *h, const struct connection *from, struct session session, uint64_t seq,
		   int code)
{
	struct message m = {
	    .type = MESSAGE_REFUSED,
	    .refused = {
		.session = session, .seq = seq, .code = code, .text = text_of(kudos_error_text(code))}};
	host_answer(h, from->handle, &m);
}

/* Whether the session was issued; else it has been refused, and nothing of it is kept. */
static bool issued(struct host *h, int64_t now, const struct connection *from, struct session session,
		   struct proof proof, uint64_t seq)
{
	int e = proof_check(&h->replica.staged, session, proof);
	if (e == 0)
		return true;
	if (e == KUDOS_NOT_ISSUED)
		host_malformed(h, now, "a client", e);
	refuse(h, from, session, seq, e);
	return false;
}

static int on_batch(struct host *h, int64_t now, const struct connection *from, const void *data, size_t size)
{
	struct batch_box *box;
	struct session session;
	struct proof proof;
	uint64_t seq;
	int e = message_decode_batch(data, size, &box, &session, &seq, &proof);
	if (e < 0)
		return e;
	if (e == 0) {
		if (issued(h, now, from, session, proof, seq))
			e = replica_batch(&h->replica, now, from->handle, box);
		batch_box_unref(box);
		return e;
	}
	host_malformed(h, now, "a client", e);
	if (session.number == 0)
		host_answer_error(h, from->handle, 0, e, "batch: %s", kudos_error_text(e));
	else
		refuse(h, from, session, seq, e);
	return 0;
}

static int on_close(const struct request *rq)
{
	if (!issued(rq->h, rq->now, rq->from, rq->m->close.session, rq->m->close.proof, 0))
		return 0;
	struct batch_box *box = message_make_batch(rq->m->close.session, 0, NULL, 0);
	if (!box)
		return -ENOMEM;
	int e = replica_close(&rq->h->replica, rq->now, rq->from->handle, box);
	batch_box_unref(box);
	return e;
}

static int on_seen(const struct request *rq)
{
	const struct message *m = rq->m;
	if (!issued(rq->h, rq->now, rq->from, m->seen.session, m->seen.proof, m->seen.seq))
		return 0;
	return replica_seen(&rq->h->replica, rq->from->handle, m->seen.session, m->seen.seq);
}

static int on_ping(const struct request *rq)
{
	struct message m = {.type = MESSAGE_PONG, .pong = {rq->m->ping.token}};
	host_answer(rq->h, rq->from->handle, &m);
	return 0;
}

static void answer_count(struct host *h, uint64_t client, const struct message *m)
{
	int64_t counts[LIMIT_READ_KEYS];
	for (size_t i = 0; i < m->count.key_count; i++)
		counts[i] = counts_get(&h->replica.counts, m->count.keys[i].data, m->count.keys[i].size);
	struct message answer = {
	    .type = MESSAGE_COUNTS,
	    .counts = {.id = m->count.id, .counts = counts, .count = m->count.key_count}};
	host_answer(h, client, &answer);
}

_Static_assert(LIMIT_TOP <= TOP_KEPT, "that many are kept");

static int on_top(const struct request *rq)
{
	struct host *h = rq->h;
	struct counted top[LIMIT_TOP];
	struct key_count rows[LIMIT_TOP];
	size_t found;
	if (h->replica.phase == PHASE_CATCHING_UP) {
		host_answer_error(h, rq->from->handle, rq->m->top.id, KUDOS_NOT_SERVING,
				  "server %s is catching up", h->config.self.name);
		return 0;
	}
	if (!counts_top(&h->replica.counts, rq->m->top.n, top, &found)) {
		host_answer_error(h, rq->from->handle, rq->m->top.id, KUDOS_BUSY,
				  "the top is being found anew, after many unlikes: ask again");
		return 0;
	}
	for (size_t i = 0; i < found; i++)
		rows[i] = (struct key_count){{top[i].key, top[i].size}, top[i].count};
	host_answer(h, rq->from->handle,
		    &(struct message){.type = MESSAGE_TOPS, .tops = {rq->m->top.id, rows, found}});
	return 0;
}

static int keep_read(const struct request *rq, const void *data, size_t size)
{
	struct host *h = rq->h;
	if (h->read_count >= LIMIT_READS_WAITING || h->read_bytes + size > LIMIT_READS_BYTES) {
		host_answer_error(h, rq->from->handle, rq->m->count.id, KUDOS_BUSY,
				  "too many reads wait here");
		return 0;
	}
	struct read_waiting w = {.client = rq->from->handle, .until = rq->now + READ_WAIT};
	bytes_append(&w.request, data, size);
	if (bytes_failed(&w.request) ||
	    array_reserve(&h->reads, h->read_count + 1, &h->read_capacity, sizeof w) < 0) {
		bytes_deinit(&w.request);
		return -ENOMEM;
	}
	h->reads[h->read_count++] = w;
	h->read_bytes += size;
	return 0;
}

static int on_count(const struct request *rq, const void *data, size_t size)
{
	struct host *h = rq->h;
	if (h->replica.phase == PHASE_CATCHING_UP) {
		host_answer_error(h, rq->from->handle, rq->m->count.id, KUDOS_NOT_SERVING,
				  "server %s is catching up", h->config.self.name);
		return 0;
	}
	if (!replica_reached(&h->replica, rq->m->count.positions, rq->m->count.position_count))
		return keep_read(rq, data, size);
	answer_count(h, rq->from->handle, rq->m);
	return 0;
}

/* Answers the reads whose position was reached, and tells those that waited long enough. */
int host_answer_reads(struct host *h, int64_t now)
{
	size_t kept = 0;
	int e = 0;
	/* Each look decodes them all: only when something was applied, or from time to time for those that
	 * give up. */
	if (h->read_count == 0 || (h->reads_seen == h->replica.stats.records && now < h->next_reads))
		return 0;
	h->reads_seen = h->replica.stats.records;
	h->next_reads = now + READS_INTERVAL;
	for (size_t i = 0; i < h->read_count; i++) {
		struct read_waiting *w = &h->reads[i];
		struct message m;
		if (e == 0)
			e = message_decode(w->request.data, w->request.size, &m);
		bool reached =
		    e == 0 && replica_reached(&h->replica, m.count.positions, m.count.position_count);
		bool over = reached || now >= w->until || !connections_at(&h->connections, w->client);
		if (e == 0 && reached)
			answer_count(h, w->client, &m);
		else if (e == 0 && over)
			host_answer_error(
			    h, w->client, m.count.id, KUDOS_BEHIND,
			    "server %s has not yet received what you were acknowledged elsewhere",
			    h->config.self.name);
		if (e == 0)
			message_deinit(&m);
		if (!over) {
			h->reads[kept++] = *w;
			continue;
		}
		h->read_bytes -= w->request.size;
		bytes_deinit(&w->request);
	}
	h->read_count = kept;
	return e; /* no error of the message: it was read when it came */
}

void host_load(const struct host *h, int64_t now, struct load *load)
{
	*load = (struct load){
	    .clients = connections_active(&h->connections, now - ACTIVE),
	    .keys = h->replica.counts.keys,
	    .likes_total = h->replica.counts.total,
	    .events_per_s = h->events_per_s,
	    .lag_records = replica_lag(&h->replica),
	    .journal_bytes = h->store->ops->journal_bytes(h->store),
	    .malformed = h->malformed,
	    .serving = h->replica.phase == PHASE_SERVING,
	};
}

/* What this server can say: all of itself; of the others, where they are and whether it hears them. */
static int on_status(const struct request *rq)
{
	struct host *h = rq->h;
	const struct members *members = &h->replica.members;
	struct status_row *rows = calloc(members->count + 1, sizeof *rows);
	if (!rows)
		return -ENOMEM;
	size_t count = 0;
	for (size_t i = 0; i < members->count; i++) {
		const struct member *member = &members->list[i];
		if (member->forgotten)
			continue;
		struct status_row *row = &rows[count++];
		row->server =
		    (struct server_row){member->node, text_of(member->name), text_of(member->client_endpoint),
					text_of(member->notify_endpoint)};
		const struct peer *p = replica_peer(&h->replica, member->node);
		if (p) {
			row->state = !replica_reachable(p, rq->now) ? SERVER_DOWN
				     : p->serving		    ? SERVER_UP
								    : SERVER_CATCHING_UP;
		} else {
			host_load(h, rq->now, &row->load);
			row->state = row->load.serving ? SERVER_UP : SERVER_CATCHING_UP;
		}
	}
	struct message m = {
	    .type = MESSAGE_STATE,
	    .state = {.id = rq->m->status.id, .members = count, .rows = rows, .row_count = count}};
	host_answer(h, rq->from->handle, &m);
	free(rows);
	return 0;
}

static int on_metrics(const struct request *rq)
{
	return host_metrics(rq->h, rq->now, rq->from->handle, rq->m->metrics.id);
}

static bool is_named(const struct member *m, struct text target)
{
	char hex[17];
	snprintf(hex, sizeof hex, "%016llx", (unsigned long long)m->node.id);
	return !m->forgotten &&
	       ((target.size == strlen(m->name) && memcmp(target.data, m->name, target.size) == 0) ||
		(target.size == 16 && memcmp(target.data, hex, 16) == 0));
}

/* The member that an operator named; NULL: there is none, and so it was answered. */
static const struct member *find_named(const struct request *rq, uint64_t id, struct text target)
{
	const struct members *members = &rq->h->replica.members;
	const struct member *found = NULL;
	for (size_t i = 0; i < members->count; i++) {
		if (!is_named(&members->list[i], target))
			continue;
		if (found) {
			host_answer_error(rq->h, rq->from->handle, id, KUDOS_UNKNOWN_NODE,
					  "two members have that name: give the node id that status shows");
			return NULL;
		}
		found = &members->list[i];
	}
	if (!found)
		host_answer_error(rq->h, rq->from->handle, id, KUDOS_UNKNOWN_NODE,
				  "no member is named \"%.*s\": see status", (int)target.size, target.data);
	return found;
}

static int on_forget(const struct request *rq)
{
	struct host *h = rq->h;
	const struct member *found = find_named(rq, rq->m->forget.id, rq->m->forget.target);
	if (!found)
		return 0;
	host_log(h, 'i', "forgetting %s (%016llx), as told by an operator", found->name,
		 (unsigned long long)found->node.id);
	int e = replica_forget(&h->replica, rq->now, found->node);
	if (e == 0)
		host_answer(h, rq->from->handle,
			    &(struct message){.type = MESSAGE_DONE, .done = {rq->m->forget.id}});
	return e;
}

bool host_told_to_drain(struct host *h, struct text target)
{
	const struct member *self = members_find(&h->replica.members, h->config.self.node);
	if (!self || !is_named(self, target))
		return false;
	if (!h->drain_wanted)
		host_log(h, 'i', "draining, as told by an operator");
	h->drain_wanted = true;
	return true;
}

/* This server drains, or passes it on to the one that is to; not what another server passed on, so that it
 * goes round nowhere. */
static int on_drain(const struct request *rq)
{
	struct host *h = rq->h;
	uint64_t id = rq->m->drain.id;
	const struct member *found = find_named(rq, id, rq->m->drain.target);
	if (!found)
		return 0;
	const struct peer *peer = replica_peer(&h->replica, found->node);
	if (!peer) {
		host_told_to_drain(h, rq->m->drain.target);
		host_answer(h, rq->from->handle, &(struct message){.type = MESSAGE_DONE, .done = {id}});
	} else if (rq->from->node.id == 0 && replica_reachable(peer, rq->now)) {
		if (passed_add(&h->drains, rq->now, found->node, found->origin, rq->from->handle, id) != 0)
			host_answer_error(h, rq->from->handle, id, KUDOS_BUSY,
					  "too many drains wait here for their confirmation: try again");
		host_pass_drains(h, rq->now);
	} else {
		host_answer_error(h, rq->from->handle, id, KUDOS_NO_SERVER,
				  "%s does not reach %s: there is nothing to drain, or ask elsewhere",
				  h->config.self.name, found->name);
	}
	return 0;
}

/* ---- other servers ---- */

/* Records from..to as far as they are held without gap and fit in one message; `gone` when not even the first
 * is. */
static int on_fetch(const struct request *rq)
{
	struct host *h = rq->h;
	struct bytes records = {0};
	struct blob blobs[LIMIT_FETCH_RECORDS];
	size_t ends[LIMIT_FETCH_RECORDS + 1] = {0};
	size_t count = 0;
	int e = 0;
	uint64_t to = rq->m->fetch.to, applied = vector_get(&h->replica.v, rq->m->fetch.origin);
	if (to > applied)
		to = applied; /* only what is applied here: what is not durable may still be lost (I3) */
	for (uint64_t lsn = rq->m->fetch.from; lsn <= to && count < LIMIT_FETCH_RECORDS; lsn++) {
		e = h->store->ops->journal_read(h->store, (struct position){rq->m->fetch.origin, lsn},
						&records);
		if (e != 0 || records.size + 8 * (count + 1) > FETCH_BYTES)
			break;
		ends[++count] = records.size;
	}
	if (e == -ENOMEM || bytes_failed(&records)) {
		bytes_deinit(&records);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		blobs[i] = (struct blob){records.data + ends[i], ends[i + 1] - ends[i]};
	struct message m = {.type = MESSAGE_RECORDS,
			    .records = {.origin = rq->m->fetch.origin,
					.from = rq->m->fetch.from,
					.records = blobs,
					.record_count = count}};
	if (count == 0)
		m = (struct message){.type = MESSAGE_GONE, .gone = {rq->m->fetch.origin, rq->m->fetch.from}};
	host_answer(h, rq->from->handle, &m);
	bytes_deinit(&records);
	return 0;
}

static int on_snapshot(const struct request *rq)
{
	if (rq->h->replica.phase == PHASE_CATCHING_UP) {
		host_answer_error(rq->h, rq->from->handle, rq->m->snapshot.id, KUDOS_NOT_SERVING,
				  "still catching up itself");
		return 0;
	}
	return host_snapshot_give(rq->h, rq->now, rq->from->handle, rq->m);
}

static int on_members(const struct request *rq)
{
	const struct message *m = rq->m;
	return replica_members(&rq->h->replica, rq->now, rq->from->node, m->members.rows,
			       m->members.row_count);
}

static int on_reach(const struct request *rq)
{
	const struct replica *r = &rq->h->replica;
	struct position at[LIMIT_REACH_POSITIONS];
	size_t told = rq->h->config.told;
	struct message m = {
	    .type = MESSAGE_REACHED,
	    .reached = {.origin = r->config.self.origin, .after = rq->m->reach.after, .positions = at}};
	m.reached.position_count = replica_reach(
	    r, m.reached.after, at, told && told < LIMIT_REACH_POSITIONS ? told : LIMIT_REACH_POSITIONS,
	    &m.reached.last);
	host_answer(rq->h, rq->from->handle, &m);
	return 0;
}

static const struct {
	int (*handle)(const struct request *rq);
	enum role least;
} handlers[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_TOP] = {on_top, ROLE_CLIENT},	   [MESSAGE_CLOSE] = {on_close, ROLE_CLIENT},
    [MESSAGE_PING] = {on_ping, ROLE_CLIENT},	   [MESSAGE_STATUS] = {on_status, ROLE_CLIENT},
    [MESSAGE_FORGET] = {on_forget, ROLE_OPERATOR}, [MESSAGE_DRAIN] = {on_drain, ROLE_OPERATOR},
    [MESSAGE_FETCH] = {on_fetch, ROLE_SERVER},	   [MESSAGE_SNAPSHOT] = {on_snapshot, ROLE_SERVER},
    [MESSAGE_MEMBERS] = {on_members, ROLE_SERVER}, [MESSAGE_REACH] = {on_reach, ROLE_SERVER},
    [MESSAGE_METRICS] = {on_metrics, ROLE_CLIENT}, [MESSAGE_SEEN] = {on_seen, ROLE_CLIENT},
};

static int dispatch(struct host *h, int64_t now, enum role role, struct connection *from,
		    const struct message *m, const void *data, size_t size)
{
	struct request rq = {h, now, from, m};
	if (m->type == MESSAGE_COUNT)
		return on_count(&rq, data, size);
	if (role < handlers[m->type].least) {
		host_malformed(h, now, "a client", KUDOS_FORBIDDEN);
		host_answer_error(h, from->handle, message_request_id(data, size), KUDOS_FORBIDDEN,
				  "a key with the role %s may not send \"%s\"", role_name(role),
				  message_type_name(m->type));
		return 0;
	}
	if (!handlers[m->type].handle || (handlers[m->type].least == ROLE_SERVER && from->node.id == 0)) {
		host_malformed(h, now, "a client", KUDOS_PROTOCOL);
		host_answer_error(h, from->handle, 0, KUDOS_PROTOCOL, "a server takes no \"%s\" from you",
				  message_type_name(m->type));
		return 0;
	}
	if (node_forgotten(h, from->node)) {
		host_answer_error(h, from->handle, 0, KUDOS_FORGOTTEN, "%s",
				  kudos_error_text(KUDOS_FORGOTTEN));
		return 0;
	}
	return handlers[m->type].handle(&rq);
}

/* One message, by itself or out of several. */
static int receive_one(struct host *h, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		       const void *data, size_t size)
{
	enum message_type type;
	struct connection *from = connections_find(&h->connections, id, id_size);
	if (from)
		connections_touch(&h->connections, from, now);
	int e = message_peek(data, size, &type);
	if (e == 0)
		h->metrics.messages[type]++;
	if (e == 0 && !from && type != MESSAGE_HELLO) {
		turn_away(h, id, id_size, KUDOS_NO_HELLO, kudos_error_text(KUDOS_NO_HELLO));
		return 0;
	}
	if (e == 0 && type == MESSAGE_BATCH)
		return on_batch(h, now, from, data, size);
	struct message m;
	if (e == 0)
		e = message_decode(data, size, &m);
	if (e < 0)
		return e;
	if (e > 0) {
		host_malformed(h, now, "a client", e);
		if (from && e != KUDOS_PROTOCOL)
			host_answer_error(h, from->handle, message_request_id(data, size), e, "%s",
					  kudos_error_text(e));
		else
			turn_away(h, id, id_size, e, kudos_error_text(e));
		return 0;
	}
	e = type == MESSAGE_HELLO ? on_hello(h, now, role, id, id_size, &m)
				  : dispatch(h, now, role, from, &m, data, size);
	message_deinit(&m);
	return e;
}

/* Several, of which each is handled as if it had come by itself. */
static int receive_many(struct host *h, int64_t now, enum role role, const uint8_t *id, size_t id_size,
			const struct message *m)
{
	struct connection *from = connections_find(&h->connections, id, id_size);
	int e = 0;
	from->takes_many = true;
	for (size_t i = 0; e == 0 && i < m->many.count; i++)
		e = receive_one(h, now, role, id, id_size, m->many.messages[i].data,
				m->many.messages[i].size);
	return e;
}

int host_receive_client(struct host *h, int64_t now, enum role role, const uint8_t *id, size_t id_size,
			const void *data, size_t size)
{
	enum message_type type;
	struct message m;
	if (role == ROLE_NONE)
		return 0; /* its key was taken back */
	/* What is wrong with it, or with who sends it, is answered as with any other. */
	if (message_peek(data, size, &type) != 0 || type != MESSAGE_MANY ||
	    !connections_find(&h->connections, id, id_size) || message_decode(data, size, &m) != 0)
		return receive_one(h, now, role, id, id_size, data, size);
	h->metrics.messages[type]++;
	int e = receive_many(h, now, role, id, id_size, &m);
	message_deinit(&m);
	return e;
}
