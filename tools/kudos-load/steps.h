/* SPDX-License-Identifier: MIT */
/* The steps of a script: kudos-cluster, run beside the load, one at a time and in order. */
#ifndef LOAD_STEPS_H
#define LOAD_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan.h"

struct step_report {
	int64_t started, ended; /* clock_ns(); 0: not yet */
	int status;		/* exit status of kudos-cluster; 127: it could not be run; 128 + signal */
};

struct steps {
	const struct plan *plan;
	struct step_report reports[PLAN_STEPS];
	size_t next;	 /* index of the first step that has not ended */
	pid_t pid;	 /* of the running one; 0: none */
	unsigned failed; /* ended with another status than 0 */
	char program[4096];
};

/* Finds kudos-cluster: $KUDOS_CLUSTER, else beside this program, else in PATH. */
void steps_init(struct steps *steps, const struct plan *plan);

/* Takes note of a step that has ended, and starts the next one when it belongs to this phase and its time has
 * come; elapsed is counted from the start of the phase. Never waits. */
void steps_advance(struct steps *steps, unsigned phase, int64_t elapsed);

/* Nanoseconds after the start of the phase at which the next step wants to start; -1 when the phase has none
 * left. A running one counts as 0. */
int64_t steps_due(const struct steps *steps, unsigned phase);

/* Waits for a step that is running still. */
void steps_finish(struct steps *steps);

#endif
