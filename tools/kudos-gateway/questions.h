/* SPDX-License-Identifier: MIT */
/* What is asked of the cluster: counts and status. Questions of one pass of the loop are asked as one. */
#ifndef GATEWAY_QUESTIONS_H
#define GATEWAY_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kudos.h"

#define QUESTION_KEYS 1024 /* in one question; kudos_count()'s limit */

struct group;

/* Owned by who asks; stays where it is until it was told or is withdrawn. */
struct question {
	const char **keys; /* key_count of them, 1 to QUESTION_KEYS; 0: the status is asked for. Borrowed */
	size_t key_count;
	size_t top;	   /* not 0: so many keys of the top are asked for */
	const char *token; /* borrowed; NULL: none */
	/* One of these, by what was asked. error: KUDOS_OK, or why there is nothing else. */
	void (*ranked)(struct question *q, int error, const struct kudos_ranked *top, size_t n);
	void (*counted)(struct question *q, int error, const int64_t *counts);
	void (*status)(struct question *q, int error, const struct kudos_status *status);
	/* questions.c's own */
	struct group *group; /* that it is in; NULL: told, or not asked */
	size_t place, at;    /* there, and of its keys */
};

struct questions {
	kudos *handle;
	struct group *groups; /* asked, not answered; or, with an id of 0, still gathering */
	bool fresh;	      /* some came since the last questions_ask() */
};

void questions_init(struct questions *qs, kudos *handle);
void questions_deinit(struct questions *qs); /* tells nobody */
/* KUDOS_OK or KUDOS_NO_MEMORY. */
int questions_add(struct questions *qs, struct question *q);
void questions_withdraw(struct questions *qs, struct question *q); /* takes one that was told, too */
/* Asks all that wait, as far as the library takes it; the rest at the next call. */
void questions_ask(struct questions *qs);
void questions_counts(struct questions *qs, uint64_t id, int error, const int64_t *counts, size_t n);
void questions_top(struct questions *qs, uint64_t id, int error, const struct kudos_ranked *top, size_t n);
void questions_status(struct questions *qs, uint64_t id, int error, const struct kudos_status *status);

#endif
