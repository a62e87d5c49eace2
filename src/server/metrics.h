/* SPDX-License-Identifier: MIT */
/* What a server counts of itself for who watches over it, besides what its rules count anyhow. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "core/load.h"
#include "core/record.h"
#include "core/replica.h"
#include "kudos.h"
#include "wire/message.h"

struct metrics {		       /* since the start */
	struct replica_stats replayed; /* what of the replica's own counters is older … */
	uint64_t appended;	       /* … and of the host's */
	struct histogram commit_time;  /* µs */
	struct histogram commit_batches;
	uint64_t checkpoints, checkpoints_failed;
	int64_t checkpoint_time; /* of the last one that was done, µs */
	uint64_t events_per_s;	 /* in the second or so before measured_at */
	uint64_t measured_events;
	int64_t measured_at;
};

struct host;

void metrics_init(struct metrics *m, int64_t now);
void metrics_measure(struct metrics *m, int64_t now, const struct replica *r); /* each second */
/* The counters went from here to there by what was replayed from the journal, which is nothing new. */
void metrics_recovered(struct metrics *m, const struct replica_stats *before,
		       const struct replica_stats *after, uint64_t appended);
/* A group is durable; it took so long, NEVER: that is not known. */
void metrics_committed(struct metrics *m, struct record *const *group, size_t count, int64_t took);
#define METRICS_ACTIVE (10 * SECOND) /* clients heard within it are told as this server's load */
void metrics_load(const struct host *h, int64_t now, struct load *load);
/* Answers the question with that id. 0 or -ENOMEM. */
int host_metrics(struct host *h, int64_t now, uint64_t client, uint64_t id);

#endif
