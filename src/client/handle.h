/* SPDX-License-Identifier: MIT */
/* What is inside a kudos handle; for handle.c and calls.c alone. */
#ifndef CLIENT_HANDLE_H
#define CLIENT_HANDLE_H

#include "client/agent.h"
#include "client/link.h"
#include "kudos.h"

#define HANDLE_LEADERS 16

/* The one question that a waiting call has asked. */
struct answer {
	uint64_t id; /* 0: none */
	bool arrived;
	int error;
	void *place; /* the caller's: room for what is asked for; of a status, for a pointer to it */
	size_t count;
};

struct kudos {
	struct agent *agent;
	void *context;
	struct security *security; /* NULL: without CURVE */
	int epoll_fd;
	int64_t now; /* of the last pass */
	int64_t timeout;
	int failure; /* negative errno from a callback of the agent; 0: none */

	char *endpoints; /* the strings of leaders[] and server, owned */
	const char *leaders[HANDLE_LEADERS];
	size_t leader_count;
	const char *server; /* NULL: ask the leaders */
	struct link leader_links[HANDLE_LEADERS], server_link;

	struct kudos_options user; /* whom to tell: of the caller's options only what is no string */

	uint64_t awaited; /* the ticket that kudos_like() waits for; 0: none */
	int awaited_error;
	struct answer answer;

	char detail[1024];
};

/* Sends, receives and ticks without waiting; *any: a message was received. KUDOS_*, with detail. */
int handle_pass(struct kudos *k, bool *any);
#define HANDLE_INTERRUPTED (-1)
/* Sleeps until something is there or until then. 0, HANDLE_INTERRUPTED by a signal, or KUDOS_SYSTEM. */
int handle_wait(struct kudos *k, int64_t until);
/* Writes detail and returns error. */
int handle_fail(struct kudos *k, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for a negative errno. */
int handle_fail_errno(struct kudos *k, int negative, const char *what);

#endif
