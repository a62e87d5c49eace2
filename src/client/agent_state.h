/* SPDX-License-Identifier: MIT */
/* What is inside an agent; for agent.c and agent_receive.c alone. */
#ifndef CLIENT_AGENT_STATE_H
#define CLIENT_AGENT_STATE_H

#include "base/bytes.h"
#include "client/agent.h"
#include "client/watches.h"
#include "core/courier_route.h"
#include "wire/many.h"
#include "wire/message.h"

struct question {
	struct courier_request base; /* first: the courier's pointer is ours */
	enum message_type type;	     /* COUNT, TOP, ASSIGN (a session), STATUS, METRICS, FORGET, DRAIN */
	bool internal;		     /* asked by the agent itself, for the watches */
	int64_t asked_at;
	size_t n;		/* of a TOP: how many keys; of an ASSIGN: the lifetime in seconds */
	struct position *after; /* a COUNT waits for these, too */
	size_t after_count;
	size_t text_count; /* keys, or the one node to forget or drain */
	struct text texts[];
	/* then the positions of after, then the texts' bytes */
};

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
	uint64_t watch_read;  /* id of the reading under way; 0: none */
	uint64_t notify_ask;  /* id of the status asked for the notify endpoint; 0: none */
	bool notify_known;    /* io.use_notify was told the endpoint of the server in use */
	unsigned watch_round; /* readings since the server in use was taken */
	int64_t watch_at;     /* the next one */
};

/* kept.c: what the courier wants, and what came. */
void kept_send(void *arg, const struct relayed *item); /* goes out with kept_send_gathered() */
void kept_send_gathered(struct agent *a);
void kept_use_server(struct agent *a);		  /* another, or another connection */
bool kept_send_singly(struct agent *a, int code); /* whether that error of the server's led to it */
void kept_relayed(void *arg, struct relayed *item, int error);
void kept_offer(struct agent *a, struct session session, struct proof proof);
void kept_free_all(struct agent *a);
/* A question: of the caller, or (in agent.c) of the agent's own. */
struct subject { /* copied */
	const struct text *texts;
	size_t count;
	const struct position *after;
	size_t after_count;
	size_t n;
};
int agent_ask(struct agent *a, int64_t now, enum message_type type, struct subject about,
	      struct question **request);
/* Writes server_text. */
void agent_name_server(struct agent *a, const char *name, size_t size);
/* Tells the driver the notify endpoint and all watched keys, when there are any. */
void agent_use_notify(struct agent *a, const char *endpoint);
/* The request with that id is answered: the caller frees it. NULL: unknown. */
struct question *agent_answered(struct agent *a, uint64_t id);

#endif
