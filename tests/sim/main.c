/* SPDX-License-Identifier: MIT */
/* sim --seeds N [--first F] [--regions MS] [--verbose]: runs histories of seeds F..F+N-1; exit status 1 and
 * the seed when one fails. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

struct options {
	unsigned long first, seeds;
	bool verbose, quiet;
	unsigned long apart; /* ms */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case 'f':
		o->first = strtoul(arg, NULL, 0);
		return 0;
	case 's':
		o->seeds = strtoul(arg, NULL, 0);
		return 0;
	case 'r':
		o->apart = strtoul(arg, NULL, 0);
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct totals {
	uint64_t splits, stopped, stored, fetched, purged, overflowed, flaps, drains, destroyed, at_risk,
	    moves, runs, events, likes, crashes, pauses, cuts, lost, duplicated, leader_crashes, wipes,
	    forgets, old_copies, damages, io_errors, clients_died, reads, in_doubt, truncated, returned,
	    snapshots, checkpoints;
	double hours;
};

static void add(struct totals *t, const struct sim *s)
{
	t->events += s->events_run;
	t->likes += s->like_count;
	t->hours += (double)s->now / (3600.0 * (double)SECOND);
	t->splits += s->stats.splits;
	t->stopped += s->stats.stopped;
	t->stored += s->stream.numbered;
	t->purged += s->stats.purged;
	t->fetched += s->stats.fetched;
	t->overflowed += s->stats.overflowed;
	t->flaps += s->stats.flaps;
	t->drains += s->stats.drains;
	t->destroyed += s->stats.destroyed;
	t->at_risk += s->stats.at_risk;
	t->moves += s->stats.moves;
	t->runs += s->stats.runs;
	t->crashes += s->stats.crashes;
	t->pauses += s->stats.pauses;
	t->cuts += s->stats.cuts;
	t->lost += s->stats.lost;
	t->duplicated += s->stats.duplicated;
	t->leader_crashes += s->stats.leader_crashes;
	t->wipes += s->stats.wipes;
	t->forgets += s->stats.forgets;
	t->old_copies += s->stats.old_copies;
	t->damages += s->stats.damages;
	t->io_errors += s->stats.io_errors;
	t->clients_died += s->stats.clients_died;
	t->reads += s->stats.reads;
	t->in_doubt += s->stats.in_doubt;
	t->truncated += s->stats.truncated;
	t->returned += s->stats.returned;
	t->snapshots += s->stats.snapshots;
	t->checkpoints += s->stats.checkpoints;
}

static void print(const struct totals *t, unsigned long seeds)
{
#define N(x) (unsigned long long)t->x
	printf("%lu histories, %.1f simulated hours, %llu events, %llu likes, %llu reads, %llu checkpoints, "
	       "%llu "
	       "snapshots\n",
	       seeds, t->hours, N(events), N(likes), N(reads), N(checkpoints), N(snapshots));
	printf("crashes %llu, ends in order %llu, restarts in a storm %llu, pauses %llu, partitions %llu, "
	       "connections broken "
	       "%llu, messages lost %llu, by "
	       "full queues %llu, doubled %llu, leader crashes "
	       "%llu, clients "
	       "died %llu\n",
	       N(crashes), N(drains), N(runs), N(pauses), N(cuts), N(flaps), N(lost), N(overflowed),
	       N(duplicated), N(leader_crashes), N(clients_died));
	printf("split off %llu, places changed %llu, disks destroyed %llu with %llu acknowledged likes, "
	       "wiped %llu, old "
	       "copies %llu, damaged %llu, I/O errors %llu, nodes "
	       "forgotten %llu, "
	       "records truncated "
	       "%llu, back after a crash %llu, likes in doubt %llu\n",
	       N(splits), N(moves), N(destroyed), N(at_risk), N(wipes), N(old_copies), N(damages),
	       N(io_errors), N(forgets), N(truncated), N(returned), N(in_doubt));
	printf("the stream: %llu records, %llu fetched from it, %llu let go of, out of reach %llu times\n",
	       N(stored), N(fetched), N(purged), N(stopped));
#undef N
}

static void tell_failure(const struct sim *s, unsigned long seed, unsigned long apart)
{
	printf("seed %lu failed at %.3f ms: %s\nagain: tests/sim/run --first %lu --seeds 1 --verbose", seed,
	       (double)s->now / 1000.0, s->failure, seed);
	if (apart)
		printf(" --regions %lu", apart);
	printf("\n");
}

/* Once a minute, for runs of an hour. */
static void tell_progress(unsigned long done, unsigned long seeds)
{
	static time_t told;
	time_t now = time(NULL);
	if (told == 0)
		told = now;
	if (now - told < 60)
		return;
	told = now;
	fprintf(stderr, "%lu of %lu histories\n", done, seeds);
}

int main(int argc, char **argv)
{
	static const struct argp_option flags[] = {
	    {"first", 'f', "F", 0, "The first seed (1)", 0},
	    {"seeds", 's', "N", 0, "How many (1000)", 0},
	    {"regions", 'r', "MS", 0, "Two regions so far apart, one way, in all of them", 0},
	    {"verbose", 'v', NULL, 0, "Tell what happens", 0},
	    {"quiet", 'q', NULL, 0, "No figures at the end", 0},
	    {0},
	};
	static const struct argp argp = {
	    .options = flags, .parser = parse, .doc = "Runs simulated histories of a cluster."};
	struct options o = {.first = 1, .seeds = 1000};
	static struct sim sim;
	struct totals totals = {0};
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	for (unsigned long seed = o.first; seed < o.first + o.seeds; seed++) {
		tell_progress(seed - o.first, o.seeds);
		bool ok = sim_run(&sim, seed, o.verbose, (int64_t)o.apart * MS);
		if (!ok)
			tell_failure(&sim, seed, o.apart);
		if (!ok && o.verbose)
			check_dump(&sim);
		add(&totals, &sim);
		sim_free(&sim);
		if (!ok)
			return EXIT_FAILURE;
	}
	if (!o.quiet)
		print(&totals, o.seeds);
	return EXIT_SUCCESS;
}
