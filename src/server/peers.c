/* SPDX-License-Identifier: MIT */
#include "server/peers.h"

#include "base/log.h"
#include "core/heard.h"
#include "core/repair.h"
#include "kudos.h"

/* ---- published by peers ---- */

static int take_record(struct host *h, int64_t now, const void *data, size_t size, bool published)
{
	struct record *record;
	int e = message_decode_record(data, size, &record);
	if (e != 0)
		return port_malformed(&h->port, now, "a peer", e);
	e = replica_record(&h->replica, now, record, published);
	record_unref(record);
	return e;
}

int peers_published(struct host *h, int64_t now, const void *data, size_t size)
{
	enum message_type type;
	struct message m;
	int e = message_peek(data, size, &type);
	if (e == 0 && type == MESSAGE_RECORD)
		return take_record(h, now, data, size, true);
	if (e == 0 && type != MESSAGE_VECTOR)
		e = KUDOS_PROTOCOL;
	if (e == 0)
		e = message_decode(data, size, &m);
	if (e != 0)
		return port_malformed(&h->port, now, "a peer's notify port", e);
	e = replica_vector(&h->replica, now, &m.vector);
	message_deinit(&m);
	return e;
}

/* ---- answers of peers ---- */

static int on_records(struct host *h, int64_t now, const struct message *m)
{
	for (size_t i = 0; i < m->records.record_count; i++) {
		int e = take_record(h, now, m->records.records[i].data, m->records.records[i].size, false);
		if (e < 0)
			return e;
	}
	taking_weigh(&h->snapshot, m);
	return replica_fetched(&h->replica, now, (struct position){m->records.origin, m->records.from});
}

static void on_peer_error(struct host *h, struct node peer, const struct message *m)
{
	const struct message hello = out_hello(h->replica.config.self.node);
	switch (m->error.code) {
	case KUDOS_NO_HELLO: /* it restarted, or the connection is new: once it says welcome, what was asked
				is asked again */
		out_peer(&h->out, peer, &hello);
		break;
	case KUDOS_BUSY:
		taking_busy(&h->snapshot, peer, m->error.id);
		break;
	case KUDOS_FORGOTTEN:
		h->forgotten = KUDOS_FORGOTTEN;
		break;
	default:
		log_debug("node %016llx says: %.*s", (unsigned long long)peer.id, (int)m->error.text.size,
			  m->error.text.data);
		break;
	}
}

int peers_receive(struct host *h, int64_t now, struct node peer, const void *data, size_t size)
{
	struct message m;
	if (!peers_find(&h->replica.peers, peer))
		return 0; /* forgotten meanwhile: nothing more of it gets in */
	int e = message_decode(data, size, &m);
	if (e != 0)
		return port_malformed(&h->port, now, "a peer", e);
	switch (m.type) {
	case MESSAGE_RECORDS:
		e = on_records(h, now, &m);
		break;
	case MESSAGE_GONE:
		e = replica_gone(&h->replica, now, peer, (struct position){m.gone.origin, m.gone.from});
		break;
	case MESSAGE_REACHED:
		e = replica_reached_by(&h->replica, now, peer, m.reached.origin, m.reached.after,
				       m.reached.positions, m.reached.position_count, m.reached.last);
		break;
	case MESSAGE_PART:
		e = taking_part(&h->snapshot, now, peer, &m);
		break;
	case MESSAGE_ERROR:
		on_peer_error(h, peer, &m);
		break;
	case MESSAGE_DONE:
		drains_confirmed(&h->drains, &h->port, peer, m.done.id);
		break;
	case MESSAGE_WELCOME:
		e = replica_welcomed(&h->replica, now, peer);
		break;
	default:
		port_malformed(&h->port, now, "a peer", KUDOS_PROTOCOL);
		break;
	}
	message_deinit(&m);
	return e;
}
