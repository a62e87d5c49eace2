/* SPDX-License-Identifier: MIT */
/* An exchange that waits for the answer to a question. */
#ifndef GATEWAY_ASKING_H
#define GATEWAY_ASKING_H

#include "exchange.h"
#include "questions.h"

struct asking {
	struct question question; /* first: who is told gets a pointer to it */
	struct exchange *exchange;
};

/* a was just allocated, all zeros, and is x's from now on. False, when it is NULL, and x was answered. */
bool asking_init(struct asking *a, struct exchange *x);
/* Puts the question, whose fields are filled in. */
void asking_ask(struct asking *a);
/* A route's end: nobody waits any more. */
void asking_end(struct exchange *x);

static inline struct exchange *asking_exchange(struct question *q)
{
	return ((struct asking *)q)->exchange;
}

#endif
