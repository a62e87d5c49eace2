/* SPDX-License-Identifier: MIT */
/* What a leader tells of itself to who watches over it. */
#ifndef LEADER_METRICS_H
#define LEADER_METRICS_H

#include "leader/desk.h"
#include "wire/metric_table.h"

/* Fills the table, which the caller lets go of, and makes the answer of it. 0 or -ENOMEM. */
int desk_metrics(const struct desk *desk, int64_t now, struct metric_table *t, uint64_t id,
		 struct message *m);

#endif
