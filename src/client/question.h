/* SPDX-License-Identifier: MIT */
/* A question to the cluster, of the caller or of the agent's own: copied, asked until it is answered. */
#ifndef CLIENT_QUESTION_H
#define CLIENT_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/courier.h"
#include "wire/message.h"

struct agent;

struct question {
	struct courier_request base; /* first: the courier's pointer is ours */
	enum message_type type; /* COUNT, WATCH, TOP, ASSIGN (a session), STATUS, METRICS, FORGET, DRAIN */
	bool internal;		/* asked by the agent itself, for the watches */
	int64_t asked_at;
	size_t n;		/* of a TOP: how many keys; of an ASSIGN: the lifetime in seconds */
	struct position *after; /* a COUNT waits for these, too */
	size_t after_count;
	size_t text_count; /* keys, or the one node to forget or drain */
	struct text texts[];
	/* then the positions of after, then the texts' bytes */
};

struct subject { /* copied */
	const struct text *texts;
	size_t count;
	const struct position *after;
	size_t after_count;
	size_t n;
	bool internal;
};

/* 0, -ENOMEM or KUDOS_BUSY. */
int question_ask(struct agent *a, int64_t now, enum message_type type, struct subject about, uint64_t *id);
/* Takes the one with that id back: the caller frees it. answered: it has its answer, else it is given up.
 * NULL: unknown. */
struct question *question_take(struct agent *a, uint64_t id, bool answered);

#endif
