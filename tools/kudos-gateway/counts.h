/* SPDX-License-Identifier: MIT */
/* Counts as an answer: what a GET asked for, and what a POST has changed. */
#ifndef GATEWAY_COUNTS_H
#define GATEWAY_COUNTS_H

#include "events.h"
#include "exchange.h"

/* x's likes are acknowledged: answers with the counts of their keys, or without when x does not want them.
 * Takes over events. x->work is its own from now on, and counts_end() ends it. */
void counts_answer_likes(struct exchange *x, struct events *events);

#endif
