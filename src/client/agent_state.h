/* SPDX-License-Identifier: MIT */
/* What is inside an agent; for the agent's files alone. */
#ifndef CLIENT_AGENT_STATE_H
#define CLIENT_AGENT_STATE_H

#include "base/bytes.h"
#include "client/agent.h"
#include "client/watches.h"
#include "core/courier_route.h"
#include "wire/many.h"

struct agent {
	struct courier courier;
	struct agent_options options;
	struct agent_io io;
	struct bytes scratch; /* the message being sent */
	struct many gathered; /* kept.c's, to the server, of the tick under way */
	bool sent_many;	      /* to the server in use */
	bool singly;	      /* it does not know them */
	int64_t now;	      /* of the tick under way */
	uint64_t last_id;
	uint64_t ignored;

	struct node server_node; /* as its welcome told; 0: not yet */
	char server_text[LIMIT_NAME + LIMIT_ENDPOINT + 8];

	int64_t leader_asked_at, leader_heard_at, server_heard_at; /* -1: never */
	bool no_server;						   /* the leader's last word */
	bool bad_version;
	char told[LIMIT_TEXT + 1];

	const struct position *acked; /* of the acknowledgement that is being told of */
	size_t acked_count;

	struct watches watches;
};

#endif
