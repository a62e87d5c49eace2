/* SPDX-License-Identifier: MIT */
/* The metrics of an answer while they are gathered. All strings are by reference. Lack of memory, and what is
 * over the message's limits, is remembered until the end. */
#ifndef WIRE_METRIC_TABLE_H
#define WIRE_METRIC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/limits.h"
#include "wire/message.h"

struct metric_table {
	struct metric metrics[LIMIT_METRICS];
	size_t firsts[LIMIT_METRICS]; /* of its samples */
	size_t count;
	struct metric_sample *samples; /* owned */
	size_t sample_count, capacity;
	bool failed;
};

void metric_table_init(struct metric_table *t);
void metric_table_deinit(struct metric_table *t);

/* Begins a metric; its samples follow. label: "" for none. */
void metric_begin(struct metric_table *t, enum metric_type type, const char *name, const char *label,
		  const char *help);
/* One more sample of the metric begun last. */
void metric_sample(struct metric_table *t, const char *of, int64_t value);
/* A whole one without a label. */
void metric_counter(struct metric_table *t, const char *name, const char *help, uint64_t value);
void metric_gauge(struct metric_table *t, const char *name, const char *help, int64_t value);
/* Values of the metric begun last are to be divided by this. */
void metric_per(struct metric_table *t, uint64_t per);
void metric_histogram(struct metric_table *t, const char *name, const char *help, uint64_t per,
		      const struct histogram *h);
/* Counters by error code that may be sent, and by message type those that are not 0. */
void metric_by_code(struct metric_table *t, const char *name, const char *help, const uint64_t *counts);
void metric_by_type(struct metric_table *t, const char *name, const char *help, const uint64_t *counts);
/* Version, memory and processor of this process. */
void metric_process(struct metric_table *t);

/* The answer to the question with that id; valid until the table changes. 0 or -ENOMEM. */
int metric_table_message(struct metric_table *t, uint64_t id, struct message *m);

#endif
