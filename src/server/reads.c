/* SPDX-License-Identifier: MIT */
#include "server/reads.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/limits.h"
#include "base/time.h"
#include "kudos.h"

#define LOOK_INTERVAL (50 * MS)
#define PATIENCE (2 * SECOND)

struct read_waiting {
	uint64_t client;
	int64_t until;
	struct bytes request; /* the encoded count message */
};

void reads_deinit(struct reads *r)
{
	for (size_t i = 0; i < r->count; i++)
		bytes_deinit(&r->list[i].request);
	free(r->list);
}

static void answer(const struct replica *replica, struct port *port, uint64_t client, const struct message *m)
{
	int64_t counts[LIMIT_READ_KEYS];
	for (size_t i = 0; i < m->count.key_count; i++)
		counts[i] = counts_get(&replica->counts, m->count.keys[i].data, m->count.keys[i].size);
	struct message told = {.type = MESSAGE_COUNTS,
			       .counts = {.id = m->count.id, .counts = counts, .count = m->count.key_count}};
	port_tell(port, client, &told);
}

static int keep(struct reads *r, const struct request *rq)
{
	if (r->count >= LIMIT_READS_WAITING || r->bytes + rq->size > LIMIT_READS_BYTES) {
		port_answer_error(rq, rq->m->count.id, KUDOS_BUSY, "too many reads wait here");
		return 0;
	}
	struct read_waiting w = {.client = rq->from->handle, .until = rq->now + PATIENCE};
	bytes_append(&w.request, rq->data, rq->size);
	if (bytes_failed(&w.request) || array_reserve(&r->list, r->count + 1, &r->capacity, sizeof w) < 0) {
		bytes_deinit(&w.request);
		return -ENOMEM;
	}
	r->list[r->count++] = w;
	r->bytes += rq->size;
	return 0;
}

int reads_take(struct reads *r, const struct replica *replica, const struct request *rq)
{
	const struct message *m = rq->m;
	if (replica->ready.phase == PHASE_CATCHING_UP) {
		port_answer_error(rq, m->count.id, KUDOS_NOT_SERVING, "server %s is catching up",
				  rq->port->name);
		return 0;
	}
	if (!replica_reached(replica, m->count.positions, m->count.position_count))
		return keep(r, rq);
	answer(replica, rq->port, rq->from->handle, m);
	return 0;
}

/* Whether it is over: answered, given up, or nobody is there any more. */
static bool look_at(const struct read_waiting *w, int64_t now, const struct replica *replica,
		    struct port *port, const struct message *m)
{
	if (replica_reached(replica, m->count.positions, m->count.position_count)) {
		answer(replica, port, w->client, m);
		return true;
	}
	if (now < w->until && connections_at(&port->connections, w->client))
		return false;
	port_tell_error(port, w->client, m->count.id, KUDOS_BEHIND,
			"server %s has not yet received what you were acknowledged elsewhere", port->name);
	return true;
}

int reads_look(struct reads *r, int64_t now, const struct replica *replica, struct port *port)
{
	size_t kept = 0;
	int e = 0;
	/* Each look decodes them all: only when something was applied, or from time to time for those that
	 * give up. */
	if (r->count == 0 || (r->seen == replica->stats.records && now < r->next))
		return 0;
	r->seen = replica->stats.records;
	r->next = now + LOOK_INTERVAL;
	for (size_t i = 0; i < r->count; i++) {
		struct read_waiting *w = &r->list[i];
		struct message m;
		if (e == 0)
			e = message_decode(w->request.data, w->request.size, &m);
		bool over = e == 0 && look_at(w, now, replica, port, &m);
		if (e == 0)
			message_deinit(&m);
		if (!over) {
			r->list[kept++] = *w;
			continue;
		}
		r->bytes -= w->request.size;
		bytes_deinit(&w->request);
	}
	r->count = kept;
	return e; /* no error of the message: it was read when it came */
}
