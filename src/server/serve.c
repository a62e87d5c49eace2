/* SPDX-License-Identifier: MIT */
#include "server/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/lifetime.h"
#include "core/naming.h"
#include "core/proof.h"
#include "core/reach.h"
#include "kudos.h"
#include "server/host.h"
#include "server/shared.h"

#define FETCH_BYTES (LIMIT_MESSAGE - 65536) /* of records in one answer */
_Static_assert(LIMIT_RECORD_BYTES + 8 <= FETCH_BYTES, "one record at least");

static struct host *host_of(const struct request *rq)
{
	return rq->port->owner;
}

/* ---- hello ---- */

static int welcome(const struct request *rq)
{
	struct host *h = host_of(rq);
	struct session session = {0};
	if (rq->m->hello.wants_session && h->replica.membership.durable)
		session = (struct session){lifetime_issuer(h->replica.config.self.origin.id, 0),
					   ++h->sessions_given};
	const struct member *self = members_find(&h->replica.membership.staged, h->replica.config.self.node);
	struct proof proof = session.number ? proof_make(self, session) : (struct proof){0};
	struct message m = {.type = MESSAGE_WELCOME,
			    .welcome = {.version = PROTOCOL_VERSION,
					.node = h->replica.config.self.node,
					.origin = h->replica.config.self.origin,
					.name = message_text(h->replica.config.self.name),
					.session = session,
					.proof = proof,
					.serving = h->replica.ready.phase == PHASE_SERVING}};
	port_answer(rq, &m);
	return 0;
}

static int admit(const void *host, struct node node)
{
	const struct host *h = host;
	const struct member *m = members_find(&h->replica.membership.current, node);
	return m && m->forgotten ? KUDOS_FORGOTTEN : 0;
}

/* ---- clients ---- */

static void refuse(const struct request *rq, struct session session, uint64_t seq, int code)
{
	struct message m = {
	    .type = MESSAGE_REFUSED,
	    .refused = {
		.session = session, .seq = seq, .code = code, .text = message_text(kudos_error_text(code))}};
	port_answer(rq, &m);
}

/* Whether the session was issued; else it has been refused, and nothing of it is kept. */
static bool issued(const struct request *rq, struct session session, struct proof proof, uint64_t seq)
{
	int e = proof_check(&host_of(rq)->replica.membership.staged, session, proof);
	if (e == 0)
		return true;
	if (e == KUDOS_NOT_ISSUED)
		port_malformed(&host_of(rq)->port, rq->now, "a client", e);
	refuse(rq, session, seq, e);
	return false;
}

static int on_batch(const struct request *rq)
{
	struct batch_box *box;
	struct session session;
	struct proof proof;
	uint64_t seq;
	int e = message_decode_batch(rq->data, rq->size, &box, &session, &seq, &proof);
	if (e < 0)
		return e;
	if (e == 0) {
		if (issued(rq, session, proof, seq))
			e = replica_batch(&host_of(rq)->replica, rq->now, rq->from->handle, box);
		batch_box_unref(box);
		return e;
	}
	if (session.number == 0)
		return port_refuse(rq, 0, e, "batch: %s", kudos_error_text(e));
	port_malformed(&host_of(rq)->port, rq->now, "a client", e);
	refuse(rq, session, seq, e);
	return 0;
}

static int on_close(const struct request *rq)
{
	if (!issued(rq, rq->m->close.session, rq->m->close.proof, 0))
		return 0;
	struct batch_box *box = message_make_batch(rq->m->close.session, 0, NULL, 0);
	if (!box)
		return -ENOMEM;
	int e = replica_close(&host_of(rq)->replica, rq->now, rq->from->handle, box);
	batch_box_unref(box);
	return e;
}

static int on_seen(const struct request *rq)
{
	const struct message *m = rq->m;
	if (!issued(rq, m->seen.session, m->seen.proof, m->seen.seq))
		return 0;
	return replica_seen(&host_of(rq)->replica, rq->from->handle, m->seen.session, m->seen.seq);
}

static int on_ping(const struct request *rq)
{
	struct message m = {.type = MESSAGE_PONG, .pong = {rq->m->ping.token}};
	port_answer(rq, &m);
	return 0;
}

_Static_assert(LIMIT_TOP <= TOP_KEPT, "that many are kept");

static int on_top(const struct request *rq)
{
	struct host *h = host_of(rq);
	struct counted top[LIMIT_TOP];
	struct key_count rows[LIMIT_TOP];
	size_t found;
	if (h->replica.ready.phase == PHASE_CATCHING_UP) {
		port_answer_error(rq, rq->m->top.id, KUDOS_NOT_SERVING, "server %s is catching up",
				  h->replica.config.self.name);
		return 0;
	}
	if (!counts_top(&h->replica.counts, rq->m->top.n, top, &found)) {
		port_answer_error(rq, rq->m->top.id, KUDOS_BUSY,
				  "the top is being found anew, after many unlikes: ask again");
		return 0;
	}
	for (size_t i = 0; i < found; i++)
		rows[i] = (struct key_count){{top[i].key, top[i].size}, top[i].count};
	port_answer(rq, &(struct message){.type = MESSAGE_TOPS, .tops = {rq->m->top.id, rows, found}});
	return 0;
}

static int on_count(const struct request *rq)
{
	return reads_take(&host_of(rq)->reads, &host_of(rq)->replica, rq);
}

/* A count, and from now on what changes. */
static int on_watch(const struct request *rq)
{
	struct host *h = host_of(rq);
	const struct message *m = rq->m;
	int e = watch_set(&h->watching, &h->replica, rq->from->handle, m->watch.keys, m->watch.key_count);
	if (e <= 0)
		return e < 0 ? e : on_count(rq);
	port_answer_error(rq, m->watch.id, e,
			  "server %s watches for too many already: read the counts, or try another server",
			  h->replica.config.self.name);
	return 0;
}

/* What this server can say: all of itself; of the others, where they are and whether it hears them. */
static int on_status(const struct request *rq)
{
	struct host *h = host_of(rq);
	const struct members *members = &h->replica.membership.current;
	struct status_row *rows = calloc(members->count + 1, sizeof *rows);
	if (!rows)
		return -ENOMEM;
	size_t count = 0;
	for (size_t i = 0; i < members->count; i++) {
		const struct member *member = &members->list[i];
		if (member->forgotten)
			continue;
		struct status_row *row = &rows[count++];
		row->server = (struct server_row){member->node, message_text(member->name),
						  message_text(member->client_endpoint)};
		row->notify_endpoint = message_text(member->notify_endpoint);
		const struct peer *p = peers_find(&h->replica.peers, member->node);
		if (p) {
			row->state = !peer_reachable(p, rq->now) ? SERVER_DOWN
				     : p->serving		 ? SERVER_UP
								 : SERVER_CATCHING_UP;
		} else {
			metrics_load(h, rq->now, &row->load);
			row->state = row->load.serving ? SERVER_UP : SERVER_CATCHING_UP;
		}
	}
	struct message m = {
	    .type = MESSAGE_STATE,
	    .state = {.id = rq->m->status.id, .members = count, .rows = rows, .row_count = count}};
	port_answer(rq, &m);
	free(rows);
	return 0;
}

static int on_metrics(const struct request *rq)
{
	return host_metrics(host_of(rq), rq->now, rq->from->handle, rq->m->metrics.id);
}

static bool is_down(const void *request, const struct member *m)
{
	const struct request *rq = request;
	const struct peer *p = peers_find(&host_of(rq)->replica.peers, m->node);
	return p && !peer_reachable(p, rq->now);
}

/* The member that an operator named; NULL: there is none, and so it was answered. */
static const struct member *find_named(const struct request *rq, uint64_t id, struct text target,
				       bool to_forget)
{
	const struct naming naming = {&host_of(rq)->replica.membership.current, is_down, rq, to_forget};
	const struct member *found = NULL;
	char text[LIMIT_TEXT];
	int e = naming_find(&naming, target.data, target.size, &found, text, sizeof text);
	if (e != 0)
		port_answer_error(rq, id, e, "%s", text);
	return found;
}

static int on_forget(const struct request *rq)
{
	struct host *h = host_of(rq);
	const struct member *found = find_named(rq, rq->m->forget.id, rq->m->forget.target, true);
	if (!found)
		return 0;
	log_info("forgetting %s (%016llx), as told by an operator", found->name,
		 (unsigned long long)found->node.id);
	int e = replica_forget(&h->replica, found->node);
	if (e == 0)
		port_answer(rq, &(struct message){.type = MESSAGE_DONE, .done = {rq->m->forget.id}});
	return e;
}

/* This server drains, or passes it on to the one that is to; not what another server passed on, so that it
 * goes round nowhere. */
static int on_drain(const struct request *rq)
{
	struct host *h = host_of(rq);
	uint64_t id = rq->m->drain.id;
	const struct member *found = find_named(rq, id, rq->m->drain.target, false);
	if (!found)
		return 0;
	const struct peer *peer = peers_find(&h->replica.peers, found->node);
	if (!peer) {
		drains_told(&h->drains, &h->replica, rq->m->drain.target);
		port_answer(rq, &(struct message){.type = MESSAGE_DONE, .done = {id}});
	} else if (rq->from->node.id == 0 && peer_reachable(peer, rq->now)) {
		if (passed_add(&h->drains.passed, rq->now, found->node, found->origin, rq->from->handle,
			       id) != 0)
			port_answer_error(rq, id, KUDOS_BUSY,
					  "too many drains wait here for their confirmation: try again");
		drains_tick(&h->drains, rq->now, &h->replica, &h->port, &h->out);
	} else {
		port_answer_error(rq, id, KUDOS_NO_SERVER,
				  "%s does not reach %s: there is nothing to drain, or ask elsewhere",
				  h->replica.config.self.name, found->name);
	}
	return 0;
}

/* ---- other servers ---- */

/* Records from..to as far as they are held without gap and fit in one message; `gone` when not even the first
 * is, or nothing when they may be in a moment. */
static int on_fetch(const struct request *rq)
{
	struct host *h = host_of(rq);
	struct bytes records = {0};
	struct blob blobs[LIMIT_FETCH_RECORDS];
	size_t ends[LIMIT_FETCH_RECORDS + 1] = {0};
	size_t count = 0;
	int e = 0;
	uint64_t to = rq->m->fetch.to, applied = vector_get(&h->replica.v, rq->m->fetch.origin);
	if (to > applied)
		to = applied; /* only what is applied here: what is not durable may still be lost (I3) */
	for (uint64_t lsn = rq->m->fetch.from; lsn <= to && count < LIMIT_FETCH_RECORDS; lsn++) {
		e = host_shared_read(h, (struct position){rq->m->fetch.origin, lsn}, &records);
		if (e != 0 || records.size + 8 * (count + 1) > FETCH_BYTES)
			break;
		ends[++count] = records.size;
	}
	if (e == -ENOMEM) {
		bytes_deinit(&records);
		return -ENOMEM;
	}
	if (count == 0 && host_shared_reads_again(h, rq->m->fetch.origin, rq->m->fetch.from, to))
		return 0; /* there are no bytes */
	for (size_t i = 0; i < count; i++)
		blobs[i] = (struct blob){records.data + ends[i], ends[i + 1] - ends[i]};
	struct message m = {.type = MESSAGE_RECORDS,
			    .records = {.origin = rq->m->fetch.origin,
					.from = rq->m->fetch.from,
					.records = blobs,
					.record_count = count}};
	if (count == 0)
		m = (struct message){.type = MESSAGE_GONE, .gone = {rq->m->fetch.origin, rq->m->fetch.from}};
	port_answer(rq, &m);
	bytes_deinit(&records);
	return 0;
}

static int on_snapshot(const struct request *rq)
{
	if (host_of(rq)->replica.ready.phase == PHASE_CATCHING_UP) {
		port_answer_error(rq, rq->m->snapshot.id, KUDOS_NOT_SERVING, "still catching up itself");
		return 0;
	}
	return giving_answer(&host_of(rq)->giving, &host_of(rq)->checkpoint, rq);
}

static int on_members(const struct request *rq)
{
	const struct message *m = rq->m;
	return replica_members(&host_of(rq)->replica, rq->now, rq->from->node, m->members.rows,
			       m->members.row_count);
}

static int on_reach(const struct request *rq)
{
	const struct replica *r = &host_of(rq)->replica;
	struct position at[LIMIT_REACH_POSITIONS];
	size_t told = host_of(rq)->replica.config.told;
	struct message m = {
	    .type = MESSAGE_REACHED,
	    .reached = {.origin = r->config.self.origin, .after = rq->m->reach.after, .positions = at}};
	m.reached.position_count = replica_reach(
	    r, m.reached.after, at, told && told < LIMIT_REACH_POSITIONS ? told : LIMIT_REACH_POSITIONS,
	    &m.reached.last);
	port_answer(rq, &m);
	return 0;
}

const struct port_rules serve_rules = {
    .title = "a server",
    .address = "server",
    .program = "kudos-server",
    .clients = LIMIT_CLIENTS,
    .servers = LIMIT_MEMBERS,
    .silent = METRICS_ACTIVE,
    .takes_many = true,
    .admit = admit,
    .welcome = welcome,
    .handlers =
	{
	    [MESSAGE_BATCH] = {.handle = on_batch, .least = ROLE_CLIENT, .raw = true},
	    [MESSAGE_COUNT] = {.handle = on_count, .least = ROLE_CLIENT},
	    [MESSAGE_WATCH] = {.handle = on_watch, .least = ROLE_CLIENT},
	    [MESSAGE_TOP] = {.handle = on_top, .least = ROLE_CLIENT},
	    [MESSAGE_CLOSE] = {.handle = on_close, .least = ROLE_CLIENT},
	    [MESSAGE_SEEN] = {.handle = on_seen, .least = ROLE_CLIENT},
	    [MESSAGE_PING] = {.handle = on_ping, .least = ROLE_CLIENT},
	    [MESSAGE_STATUS] = {.handle = on_status, .least = ROLE_CLIENT},
	    [MESSAGE_METRICS] = {.handle = on_metrics, .least = ROLE_CLIENT},
	    [MESSAGE_FORGET] = {.handle = on_forget, .least = ROLE_OPERATOR},
	    [MESSAGE_DRAIN] = {.handle = on_drain, .least = ROLE_OPERATOR},
	    [MESSAGE_FETCH] = {.handle = on_fetch, .least = ROLE_SERVER},
	    [MESSAGE_SNAPSHOT] = {.handle = on_snapshot, .least = ROLE_SERVER},
	    [MESSAGE_MEMBERS] = {.handle = on_members, .least = ROLE_SERVER},
	    [MESSAGE_REACH] = {.handle = on_reach, .least = ROLE_SERVER},
	},
};
