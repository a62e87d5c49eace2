/* SPDX-License-Identifier: MIT */
#include "server/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "server/host.h"
#include "wire/metric_table.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct histogram_bound times[] = {
    {100, "0.0001"}, {200, "0.0002"}, {500, "0.0005"}, {1000, "0.001"}, {2000, "0.002"},
    {5000, "0.005"}, {10000, "0.01"}, {20000, "0.02"}, {50000, "0.05"}, {100000, "0.1"},
    {200000, "0.2"}, {500000, "0.5"}, {1000000, "1"}};
static const struct histogram_bound sizes[] = {{1, "1"},     {2, "2"},	     {5, "5"},	     {10, "10"},
					       {20, "20"},   {50, "50"},     {100, "100"},   {200, "200"},
					       {500, "500"}, {1000, "1000"}, {2000, "2000"}, {5000, "5000"}};

_Static_assert(COUNT_OF(times) <= HISTOGRAM_BOUNDS && COUNT_OF(sizes) <= HISTOGRAM_BOUNDS, "they have room");

void metrics_init(struct metrics *m, int64_t now)
{
	*m = (struct metrics){.measured_at = now};
	m->commit_time = (struct histogram){.bounds = times, .bound_count = COUNT_OF(times)};
	m->commit_batches = (struct histogram){.bounds = sizes, .bound_count = COUNT_OF(sizes)};
}

void metrics_recovered(struct metrics *m, const struct replica_stats *before,
		       const struct replica_stats *after, uint64_t appended)
{
	m->replayed.events += after->events - before->events;
	m->replayed.batches += after->batches - before->batches;
	m->replayed.records += after->records - before->records;
	m->replayed.duplicates += after->duplicates - before->duplicates;
	m->appended += appended;
}

void metrics_committed(struct metrics *m, struct record *const *group, size_t count, int64_t took)
{
	size_t batches = 0;
	for (size_t i = 0; i < count; i++)
		batches += group[i]->batch_count;
	histogram_add(&m->commit_batches, (int64_t)batches);
	if (took != NEVER)
		histogram_add(&m->commit_time, took);
}

void metrics_measure(struct metrics *m, int64_t now, const struct replica *r)
{
	int64_t elapsed = now - m->measured_at;
	if (elapsed < SECOND)
		return;
	uint64_t events = r->stats.events - m->measured_events;
	m->events_per_s = events * (uint64_t)SECOND / (uint64_t)elapsed;
	m->measured_events = r->stats.events;
	m->measured_at = now;
}

void metrics_load(const struct host *h, int64_t now, struct load *load)
{
	*load = (struct load){
	    .clients = connections_active(&h->port.connections, now - METRICS_ACTIVE),
	    .keys = h->replica.counts.keys,
	    .likes_total = h->replica.counts.total,
	    .events_per_s = h->metrics.events_per_s,
	    .lag_records = replica_lag(&h->replica),
	    .journal_bytes = h->store->ops->journal_bytes(h->store),
	    .malformed = h->port.malformed,
	    .serving = h->replica.ready.phase == PHASE_SERVING,
	};
}

static void tell_counts(struct metric_table *t, const struct host *h)
{
	const struct replica *r = &h->replica;
	const struct replica_stats *now = &r->stats, *then = &h->metrics.replayed;
	metric_gauge(t, "likes", "Sum of all counts. Unlikes make it less.", r->counts.total);
	metric_gauge(t, "keys", "Keys that have been liked.", (int64_t)r->counts.keys);
	metric_gauge(t, "sessions", "Sessions that are open, or closed and still remembered.",
		     (int64_t)r->sessions.seen.count);
	metric_counter(t, "events_total", "Events applied, of all servers' clients.",
		       now->events - then->events);
	metric_counter(t, "batches_total", "Batches applied, of all servers' clients.",
		       now->batches - then->batches);
	metric_counter(t, "records_total", "Records applied, of all servers.", now->records - then->records);
	metric_begin(t, METRIC_COUNTER, "duplicates_total", "from",
		     "Batches recognised as counted already, or on their way to be.");
	metric_sample(t, "client", (int64_t)(now->again - then->again));
	metric_sample(t, "peer", (int64_t)(now->duplicates - then->duplicates));
}

static void tell_port(struct metric_table *t, const struct host *h, int64_t now)
{
	struct load load;
	metrics_load(h, now, &load);
	metric_gauge(t, "clients", "Clients, heard within ten seconds.", (int64_t)load.clients);
	metric_by_type(t, "messages_total", "Messages from clients and from peers that ask.",
		       h->port.messages);
	metric_by_code(t, "refused_total", "Batches, closes and questions about batches that were refused.",
		       h->port.refused);
	metric_by_code(t, "errors_total", "Other messages that were answered with an error.", h->port.errors);
	metric_counter(t, "malformed_total",
		       "Messages not of the protocol, and connections ended that did not read.",
		       h->port.malformed);
	metric_gauge(t, "waiting_reads", "Reads that wait for what this server has not received yet.",
		     (int64_t)h->reads.count);
	metric_gauge(t, "watched_keys", "Keys that are watched.", (int64_t)h->watching.count);
}

static void tell_disk(struct metric_table *t, const struct host *h)
{
	const struct metrics *m = &h->metrics;
	metric_histogram(t, "commit_duration_seconds",
			 "From a group commit's write to its being durable in the journal.", 1000000,
			 &m->commit_time);
	metric_histogram(t, "commit_batches", "Batches in a group commit, those of peers' records included.",
			 1, &m->commit_batches);
	metric_gauge(t, "journal_bytes", "Journal on disk.", (int64_t)h->store->ops->journal_bytes(h->store));
	metric_counter(t, "journal_written_bytes_total", "Records written to the journal.",
		       h->checkpoint.appended - m->appended);
	metric_begin(t, METRIC_COUNTER, "checkpoints_total", "result", "Checkpoints.");
	metric_sample(t, "done", (int64_t)m->checkpoints);
	metric_sample(t, "failed", (int64_t)m->checkpoints_failed);
	metric_gauge(t, "checkpoint_duration_seconds", "What the last checkpoint took that was done.",
		     m->checkpoint_time);
	metric_per(t, 1000000);
}

/* A peer's name; its node when another has the same. */
static const char *peer_label(const struct host *h, const struct peer *p, char hex[17])
{
	const struct member *self = members_find(&h->replica.membership.current, p->node);
	snprintf(hex, 17, "%016llx", (unsigned long long)p->node.id);
	for (size_t i = 0; self && i < h->replica.membership.current.count; i++) {
		const struct member *m = &h->replica.membership.current.list[i];
		if (m != self && !m->forgotten && strcmp(m->name, self->name) == 0)
			return hex;
	}
	return self && *self->name ? self->name : hex;
}

/* hex: room for the label of each. */
static void tell_peers(struct metric_table *t, const struct host *h, int64_t now, char (*hex)[17])
{
	const struct replica *r = &h->replica;
	uint64_t own = vector_get(&r->v, h->replica.config.self.origin);
	metric_gauge(t, "lag_records", "Records that others have and this server has not applied.",
		     (int64_t)replica_lag(r));
	metric_begin(t, METRIC_GAUGE, "peer_lag_records", "peer",
		     "Records of this server that the peer has not told to have applied.");
	for (size_t i = 0; i < r->peers.count; i++) {
		uint64_t reached = vector_get(&r->peers.list[i].vector, h->replica.config.self.origin);
		metric_sample(t, peer_label(h, &r->peers.list[i], hex[i]),
			      own > reached ? (int64_t)(own - reached) : 0);
	}
	metric_begin(t, METRIC_GAUGE, "peer_silence_seconds", "peer",
		     "How long ago the peer was heard, since this server's start.");
	metric_per(t, 1000000);
	for (size_t i = 0; i < r->peers.count; i++) {
		int64_t heard = r->peers.list[i].heard ? r->peers.list[i].heard : r->started;
		metric_sample(t, peer_label(h, &r->peers.list[i], hex[i]), now - heard);
	}
}

int host_metrics(struct host *h, int64_t now, uint64_t client, uint64_t id)
{
	struct metric_table t;
	struct message m;
	char(*hex)[17] = calloc(h->replica.peers.count + 1, sizeof *hex);
	if (!hex)
		return -ENOMEM;
	metric_table_init(&t);
	metric_process(&t);
	tell_counts(&t, h);
	tell_port(&t, h, now);
	tell_disk(&t, h);
	tell_peers(&t, h, now, hex);
	int e = metric_table_message(&t, id, &m);
	if (e == 0)
		port_tell(&h->port, client, &m);
	metric_table_deinit(&t);
	free(hex);
	return e;
}
