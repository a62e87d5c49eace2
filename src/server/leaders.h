/* SPDX-License-Identifier: MIT */
/* This server's registration with every leader, its heartbeats, and what they answer. */
#ifndef SERVER_LEADERS_H
#define SERVER_LEADERS_H

#include "core/majority.h"

struct host;

struct leaders {
	struct majority majority;
	bool greeted[LIMIT_LEADERS]; /* hello was sent and nothing has shown since that it was lost */
	int64_t next_beat;
};

/* One message. 0, or a negative errno as in host.h. */
int leaders_receive(struct host *h, int64_t now, size_t leader, const void *data, size_t size);
void leaders_beat(struct host *h, int64_t now);

#endif
