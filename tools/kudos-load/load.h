/* SPDX-License-Identifier: MIT */
/* The load itself: all clients in one thread, phase after phase, while the steps of the script run beside it.
 *
 * With a rate the load is open: like i of a phase is due at start + i / rate, whatever became of the ones
 * before, and its latency counts from then. A cluster that stands still for a second so shows up in every
 * like of that second, not only in the few that were on their way. */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "keys.h"
#include "plan.h"
#include "steps.h"

struct phase_report {
	int64_t started, ended; /* clock_ns() */
	uint64_t issued;	/* likes handed to the library */
	uint64_t unsent;	/* due in the phase, but every client was full until its end */
	struct tally tally;
};

struct load {
	const struct plan *plan;
	struct keys *keys;
	struct client *clients;	     /* owned, plan->clients of them */
	unsigned opened;	     /* how many of them */
	struct carrier *carriers;    /* owned, plan->connections of them */
	unsigned carrier_count;	     /* how many are open */
	int epoll_fd;		     /* the signals and every client or carrier */
	struct phase_report *phases; /* owned, plan->phase_count of them */
	unsigned phase;		     /* the one that runs, or the last */
	unsigned turn;		     /* whose turn it is to get the next like */
	struct steps steps;
	int64_t settle;	     /* how long nothing may be answered before the load gives up, nanoseconds */
	int64_t last_result; /* clock_ns() of the last result */
	int64_t next_progress;
	int64_t next_turn;   /* at a rate, likes that are due are sent then */
	uint64_t shown;	     /* acknowledged likes on the last progress line */
	bool progress;	     /* print a line a second on stderr */
	int signals;	     /* signalfd */
	unsigned interrupts; /* SIGINT or SIGTERM so far: 1 ends the load, 2 also the waiting */
	bool stalled;	     /* gave up: nothing was answered for that long */
	char error[512];     /* what broke the load, when load_run() failed */
};

/* Opens the clients. KUDOS_OK, or an error with load->error set; *load is to be deinit-ed all the same. */
int load_init(struct load *load, const struct plan *plan, struct keys *keys,
	      const struct kudos_options *options);
/* Closes the clients, once; then the tallies no longer change. */
void load_close(struct load *load);
void load_deinit(struct load *load);

/* Runs all phases, then waits for the answers that are missing. KUDOS_OK, or what no retry can help
 * (KUDOS_NO_MEMORY, KUDOS_SYSTEM, …) with load->error set. */
int load_run(struct load *load);

uint64_t load_unresolved(const struct load *load);

#endif
