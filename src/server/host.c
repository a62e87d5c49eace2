/* SPDX-License-Identifier: MIT */
#include "server/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/reach.h"
#include "kudos.h"
#include "server/serve.h"
#include "server/shared.h"
#include "store/stream.h"

#define META_ESTABLISHED 1 /* in the meta blob's first byte */
#define META_DOUBTFUL 2
#define LENT ((size_t)4 << 20) /* bytes */
#define GATHERED (1 << 20)     /* bytes for one commit, after which it should not wait for more */
#define EXPIRY_INTERVAL SECOND
#define WAITING_INTERVAL (5 * SECOND)
#define COMPLAIN_INTERVAL (60 * SECOND)
#define TOP_BLOCKS 64 /* of counts walked between two commits, when the top is found anew */

/* ---- opening ---- */

/* The run whose last record the next one has to write: this one, or as long as that is not done one before.
 */
static struct origin unended(const struct host *h)
{
	if (h->shared.wrote)
		return h->replica.config.self.origin;
	if (h->replica.looks.done)
		return (struct origin){0};
	return h->replica.looks.former;
}

/* A meta blob: [flags 1] [origin 8, with META_UNENDED] [members message from this node]. */
int host_meta(const struct host *h, struct bytes *out)
{
	struct origin origin = unended(h);
	uint8_t head[META_HEAD] = {(uint8_t)((readiness_endures(&h->replica.ready) ? META_ESTABLISHED : 0) |
					     (h->replica.ready.doubtful ? META_DOUBTFUL : 0) |
					     (origin.id ? META_UNENDED : 0))};
	bytes_put64(head + 1, origin.id);
	struct message m = {.type = MESSAGE_MEMBERS,
			    .members = {.from = h->replica.config.self.node,
					.rows = h->replica.membership.staged.list,
					.row_count = h->replica.membership.staged.count}};
	bytes_clear(out);
	bytes_append(out, head, host_meta_head(head[0]));
	message_encode(&m, out);
	return bytes_failed(out) ? -ENOMEM : 0;
}

/* Whether what the folder holds may be older than what this node has acknowledged. */
static bool doubtful(const struct host *h, uint8_t flags, bool accept_stale)
{
	if (!h->store->report.copied && !(flags & META_DOUBTFUL))
		return false;
	log_warn("the data folder is a copy; %s",
		 accept_stale ? "it is taken as it is (--accept-stale)"
			      : "this server serves once another member has brought it up to date");
	return !accept_stale;
}

static int open_replica(struct host *h, const struct host_config *config, const struct bytes *meta,
			int64_t now)
{
	struct replica_config rules = config->replica;
	struct message m = {.type = MESSAGE_MEMBERS};
	size_t head = meta->size > 0 ? host_meta_head(meta->data[0]) : 0;
	bool known = meta->size > head;
	int e = known ? message_decode(meta->data + head, meta->size - head, &m) : 0;
	if (e != 0)
		return e < 0 ? e : -EBADMSG;
	if (known)
		rules.self.node = m.members.from; /* the data folder's node, whoever opens it */
	/* Its secret, too: what was signed with it lasts. One from before there were any gets the new one. */
	for (size_t i = 0; i < m.members.row_count; i++) {
		const struct member *row = &m.members.rows[i];
		if (node_equal(row->node, rules.self.node) && !secret_is_none(&row->secret))
			rules.self.secret = row->secret;
	}
	rules.alone = config->leaders == 0;
	rules.shared = h->store->stream != NULL;
	rules.doubtful = known && doubtful(h, meta->data[0], config->accept_stale);
	if (known && head == META_HEAD)
		rules.former.id = bytes_get64(meta->data + 1);
	e = replica_init(&h->replica, &rules, now, known && (meta->data[0] & META_ESTABLISHED),
			 m.members.rows, m.members.row_count);
	if (known)
		message_deinit(&m);
	return e;
}

static void explain(char *error, size_t size, int e)
{
	const char *text = strerror(-e);
	if (e == -EBADMSG)
		text = "the data folder holds what this version cannot read: start with another --data, or "
		       "wipe it to join as a new node";
	if (e == -ENODATA)
		text = "the data folder holds a checkpoint and no journal: put the journal's files back, or "
		       "wipe the folder to join as a new node";
	if (error)
		snprintf(error, size, "%s", text);
}

static int send_to_client(void *host, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	const struct host *h = host;
	h->out.io.send(h->out.io.arg, id, id_size, data, size);
	return 0;
}

int host_receive_client(struct host *h, int64_t now, enum role role, const uint8_t *id, size_t id_size,
			const void *data, size_t size)
{
	return port_receive(&h->port, now, role, id, id_size, data, size);
}

int host_open(struct host **host, const struct host_config *config, struct store *store,
	      const struct host_io *io, int64_t now, char *error, size_t error_size)
{
	struct bytes meta = {0};
	struct host *h = calloc(1, sizeof *h);
	if (!h) {
		store->ops->close(store);
		return -ENOMEM;
	}
	h->clock = config->clock;
	h->out.io = *io;
	h->leaders.majority.count = config->leaders;
	h->store = store;
	port_init(&h->port, &serve_rules, h, h->replica.config.self.name, config->replica.seed,
		  send_to_client, h);
	hand_init(&h->shared.lent, config->replica.seed, LENT);
	passed_init(&h->drains.passed, config->replica.self.origin.id);
	watch_init(&h->watching, config->replica.seed);
	metrics_init(&h->metrics, now);
	h->checkpoint = (struct checkpointing){.store = store,
					       .replica = &h->replica,
					       .metrics = &h->metrics,
					       .bytes = config->checkpoint_bytes,
					       .interval = config->checkpoint_interval,
					       .slice = config->checkpoint_slice};
	h->snapshot = (struct taking){.store = store,
				      .replica = &h->replica,
				      .checkpoint = &h->checkpoint,
				      .out = &h->out,
				      .bytes = config->snapshot_bytes};
	int e = store->ops->journal_meta(store, &meta);
	if (e >= 0)
		e = open_replica(h, config, &meta, now);
	if (e == 0 && store->stream) {
		store->stream->node = h->replica.config.self.node;
		store->stream->origin = h->replica.config.self.origin;
	}
	if (e == 0)
		e = checkpointing_recover(&h->checkpoint, now);
	if (e == 0 && h->checkpoint.exists && meta.size == 0)
		e = -ENODATA; /* a run's first commit comes before its first checkpoint */
	bytes_deinit(&meta);
	if (e < 0) {
		explain(error, error_size, e);
		host_close(&h);
		return e;
	}
	h->forgotten = replica_is_forgotten(&h->replica) ? KUDOS_FORGOTTEN : 0;
	*host = h;
	return 0;
}

void host_close(struct host **host)
{
	struct host *h = *host;
	if (!h)
		return;
	giving_deinit(&h->giving, h->store->checkpoints);
	replica_deinit(&h->replica);
	port_deinit(&h->port);
	hand_deinit(&h->shared.lent);
	reads_deinit(&h->reads);
	watch_deinit(&h->watching);
	checkpointing_deinit(&h->checkpoint);
	taking_deinit(&h->snapshot);
	bytes_deinit(&h->out.bytes);
	h->store->ops->close(h->store);
	free(h);
	*host = NULL;
}

/* ---- actions ---- */

/* Acknowledgements to one client are gathered into one message while they follow each other. */
struct acks {
	uint64_t client;
	struct session session;
	struct range ranges[LIMIT_IN_FLIGHT];
	size_t count;
	uint64_t lsn;
	bool mixed; /* some were applied in records of others */
};

static void send_acks(struct host *h, struct acks *a)
{
	if (a->count == 0)
		return;
	struct position own = {h->replica.config.self.origin, a->lsn};
	size_t recent;
	const struct position *at = replica_recent(&h->replica, &recent);
	struct message m = {.type = MESSAGE_ACK,
			    .ack = {.session = a->session,
				    .ranges = a->ranges,
				    .range_count = a->count,
				    .positions = a->mixed ? at : &own,
				    .position_count = a->mixed ? recent : 1}};
	port_tell(&h->port, a->client, &m);
	a->count = 0;
	a->lsn = 0;
	a->mixed = false;
}

static void add_ack(struct host *h, struct acks *a, const struct action *action)
{
	if (a->count == LIMIT_IN_FLIGHT || a->client != action->client ||
	    !session_equal(a->session, action->session))
		send_acks(h, a);
	a->client = action->client;
	a->session = action->session;
	if (a->count > 0 && a->ranges[a->count - 1].hi + 1 == action->seq)
		a->ranges[a->count - 1].hi++;
	else
		a->ranges[a->count++] = (struct range){action->seq, action->seq};
	if (action->lsn > a->lsn)
		a->lsn = action->lsn;
	a->mixed = a->mixed || action->lsn == 0;
}

static void refuse(struct host *h, const struct action *a)
{
	const char *text = kudos_error_text(a->error);
	struct message m = {
	    .type = MESSAGE_REFUSED,
	    .refused = {.session = a->session, .seq = a->seq, .code = a->error, .text = message_text(text)}};
	port_tell(&h->port, a->client, &m);
}

static int append(struct host *h, enum entry_kind kind, struct record *record)
{
	int e = record->raw ? 0 : message_encode_record(record);
	h->checkpoint.appended += record->raw_size;
	return e < 0
		   ? e
		   : h->store->ops->journal_append(h->store, kind, record->at, record->raw, record->raw_size);
}

static int append_meta(struct host *h)
{
	int e = host_meta(h, &h->out.bytes);
	return e < 0 ? e
		     : h->store->ops->journal_append(h->store, ENTRY_META, (struct position){0},
						     h->out.bytes.data, h->out.bytes.size);
}

static void publish_vector(struct host *h)
{
	struct message m = {.type = MESSAGE_VECTOR, .vector = replica_vector_message(&h->replica)};
	out_publish(&h->out, "v", 1, &m);
}

static void tell_members(struct host *h, struct node node)
{
	struct message m = out_members(h->replica.config.self.node, &h->replica.membership.current);
	out_peer(&h->out, node, &m);
}

static void fetch(struct host *h, const struct action *a)
{
	if (taking_now(&h->snapshot) && h->snapshot.preferred)
		return; /* they would come for nothing; what the snapshot lacks is asked for when it is here
			 */
	struct message m = {.type = MESSAGE_FETCH,
			    .fetch = {.origin = a->origin, .from = a->from, .to = a->to}};
	if (node_equal(a->node, h->replica.config.self.node))
		host_shared_fetch(h, a->origin, a->from, a->to);
	else
		out_peer(&h->out, a->node, &m);
}

static void ask_reach(struct host *h, const struct action *a)
{
	struct message m = {.type = MESSAGE_REACH, .reach = {a->origin}};
	out_peer(&h->out, a->node, &m);
}

static int close_idle(struct host *h, int64_t now, struct session session)
{
	struct batch_box *box = message_make_batch(session, 0, NULL, 0);
	if (!box)
		return -ENOMEM;
	int e = replica_close(&h->replica, now, 0, box);
	batch_box_unref(box);
	return e;
}

static int lapse(struct host *h, struct session to)
{
	struct batch_box *box = message_make_batch(to, SEQ_LAPSE, NULL, 0);
	if (!box)
		return -ENOMEM;
	int e = replica_lapse(&h->replica, box);
	batch_box_unref(box);
	return e;
}

/* That the run writes to the stream is durable here before anything of it can be on its way. */
static int append_record(struct host *h, struct record *record)
{
	int e = 0;
	if (h->store->stream && !h->shared.wrote &&
	    origin_equal(record->at.origin, h->replica.config.self.origin)) {
		h->shared.wrote = true;
		e = append_meta(h);
	}
	return e < 0 ? e : append(h, ENTRY_RECORD, record);
}

static int act(struct host *h, int64_t now, const struct action *a, struct acks *acks)
{
	if (a->type != ACTION_ACK && a->client == acks->client)
		send_acks(h, acks); /* a client is answered in order */
	switch (a->type) {
	case ACTION_APPEND:
		return append_record(h, a->record);
	case ACTION_APPEND_SHARED:
		return append(h, ENTRY_SHARED, a->record);
	case ACTION_APPEND_META:
		return append_meta(h);
	case ACTION_COMMIT:
		port_send_gathered(&h->port); /* what is decided does not wait for the disk */
		return host_commit(h, now);
	case ACTION_PUBLISH:
		h->out.io.publish(h->out.io.arg, "r", 1, a->record->raw, a->record->raw_size);
		return 0;
	case ACTION_PUBLISH_VECTOR:
		publish_vector(h);
		return 0;
	case ACTION_ACK:
		add_ack(h, acks, a);
		return 0;
	case ACTION_REFUSE:
		refuse(h, a);
		return 0;
	case ACTION_CLOSED:
		port_tell(&h->port, a->client,
			  &(struct message){.type = MESSAGE_CLOSED, .closed = {a->session}});
		return 0;
	case ACTION_CLOSE_IDLE:
		return close_idle(h, now, a->session);
	case ACTION_LAPSE:
		return lapse(h, a->session);
	case ACTION_FETCH:
		fetch(h, a);
		return 0;
	case ACTION_SNAPSHOT:
		return taking_start(&h->snapshot, now, a->node);
	case ACTION_END:
		return host_shared_end(h, now, (struct position){a->origin, a->from});
	case ACTION_REACH:
		ask_reach(h, a);
		return 0;
	case ACTION_TELL_MEMBERS:
		tell_members(h, a->node);
		return 0;
	case ACTION_MEMBERS:
		h->out.io.members(h->out.io.arg, &h->replica.membership.current);
		leaders_beat(h, now);
		return 0;
	}
	return 0;
}

static int act_all(struct host *h, int64_t now)
{
	struct action a;
	struct acks acks = {0};
	int e = 0;
	port_gather(&h->port, true);
	while (e == 0 && replica_next(&h->replica, &a)) {
		e = act(h, now, &a, &acks);
		record_unref(a.record);
	}
	send_acks(h, &acks);
	port_gather(&h->port, false);
	return e;
}

void host_drain(struct host *h, int64_t now)
{
	readiness_drain(&h->replica.ready);
	log_info("stopping: %zu clients are told to move", h->port.connections.clients);
	for (const struct connection *c = h->port.connections.oldest; c; c = c->newer) {
		if (c->node.id == 0)
			port_tell_error(&h->port, c->handle, 0, KUDOS_NOT_SERVING, "server %s is stopping",
					h->replica.config.self.name);
	}
	leaders_beat(h, now);
}

bool host_drained(const struct host *h, int64_t now)
{
	const struct replica *r = &h->replica;
	struct origin own = h->replica.config.self.origin;
	if (r->group.pending_count > 0 || r->group.committing || r->waiters.count > 0)
		return false;
	for (size_t i = 0; i < r->peers.count; i++) {
		const struct peer *p = &r->peers.list[i];
		if (peer_reachable(p, now) && vector_get(&p->vector, own) < vector_get(&r->v, own))
			return false;
	}
	return true;
}

bool host_full(const struct host *h)
{
	return h->replica.group.pending_bytes + h->replica.group.incoming_bytes >= GATHERED;
}

bool host_blocked(const struct host *h)
{
	return host_full(h) && h->replica.group.committing;
}

/* Nothing mends it: what is acknowledged is counted. So at least somebody is told. */
static void tell_contradiction(struct host *h, int64_t now)
{
	const struct contradiction *c = &h->replica.contradiction;
	if (h->replica.stats.contradicted == h->told_contradicted || now < h->contradicted_after)
		return;
	h->contradicted_after = now + COMPLAIN_INTERVAL;
	h->told_contradicted = h->replica.stats.contradicted;
	log_error("batch %llu of session %016llx:%llu has two contents: one is counted here, the other is in "
		  "record %016llx:%llu, and counted where that came first (%llu such batches so far)",
		  (unsigned long long)c->seq, (unsigned long long)c->session.issuer,
		  (unsigned long long)c->session.number, (unsigned long long)c->at.origin.id,
		  (unsigned long long)c->at.lsn, (unsigned long long)h->told_contradicted);
}

/* Who watches keys, or waits to read what a peer acknowledged, waits for peers' records. */
static bool is_looked_at(const struct host *h)
{
	return h->watching.count > 0 || h->reads.count > 0;
}

bool host_is_patient(const struct host *h)
{
	const struct replica *r = &h->replica;
	return r->ready.phase == PHASE_SERVING && r->config.ack_peers == 0 && !is_looked_at(h);
}

static int64_t flush_at(const struct host *h)
{
	return host_full(h) && !host_blocked(h) ? 0 : replica_flush_at(&h->replica, is_looked_at(h));
}

int host_flush(struct host *h, int64_t now)
{
	int e = host_shared_step(h, now);
	if (e == 0 && flush_at(h) <= now)
		e = replica_flush(&h->replica);
	if (e == 0)
		e = act_all(h, now);
	if (e == 0)
		e = reads_look(&h->reads, now, &h->replica, &h->port);
	if (e == 0)
		watch_look(&h->watching, now, &h->replica, &h->port);
	if (h->replica.ready.phase != h->told_phase) {
		h->told_phase = h->replica.ready.phase;
		if (h->told_phase == PHASE_SERVING)
			log_info("serving: %llu keys, %lld likes, %zu members",
				 (unsigned long long)h->replica.counts.keys,
				 (long long)h->replica.counts.total, h->replica.peers.count + 1);
		h->leaders.next_beat = 0; /* the leaders are to know at once */
	}
	if (replica_is_forgotten(&h->replica))
		h->forgotten = KUDOS_FORGOTTEN;
	tell_contradiction(h, now);
	return e;
}

/* ---- time ---- */

static void expire(struct host *h, int64_t now)
{
	port_expire(&h->port, now);
	watch_expire(&h->watching, now, &h->port);
	giving_expire(&h->giving, h->store->checkpoints, now);
}

/* A server that does not get to serve says why, every five seconds when the reason is another one. */
static void tell_waiting(struct host *h, int64_t now)
{
	if (h->replica.ready.phase != PHASE_CATCHING_UP || now < h->tell_waiting)
		return;
	const char *what = h->tell_waiting == 0 ? h->told_waiting : replica_waits_for(&h->replica, now);
	if (what && what != h->told_waiting)
		log_warn("not serving yet, waiting for %s", what);
	h->told_waiting = what;
	h->tell_waiting = now + WAITING_INTERVAL;
}

int host_tick(struct host *h, int64_t now)
{
	int e = replica_tick(&h->replica, now);
	if (e == 0)
		e = checkpointing_step(&h->checkpoint, now, taking_now(&h->snapshot));
	if (e == 0)
		e = taking_step(&h->snapshot, now);
	if (e == 0 && now >= h->next_expiry) {
		h->next_expiry = now + EXPIRY_INTERVAL;
		expire(h, now);
		metrics_measure(&h->metrics, now, &h->replica);
		e = checkpointing_truncate(&h->checkpoint, taking_now(&h->snapshot));
	}
	if (e == 0 && now >= h->leaders.next_beat)
		leaders_beat(h, now);
	top_walk(&h->replica.counts.top, &h->replica.counts.arena, TOP_BLOCKS);
	tell_waiting(h, now);
	drains_tick(&h->drains, now, &h->replica, &h->port, &h->out);
	return e;
}

int64_t host_deadline(const struct host *h)
{
	if (h->checkpoint.phase == CHECKPOINT_CUTTING || h->replica.counts.top.walking)
		return 0;
	int64_t deadline = earlier(replica_deadline(&h->replica), h->leaders.next_beat);
	deadline = earlier(deadline, taking_deadline(&h->snapshot));
	deadline = earlier(deadline, flush_at(h));
	return earlier(deadline, watch_deadline(&h->watching, &h->replica));
}
