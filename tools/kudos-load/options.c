/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "daemon/flags.h"

/* With what becomes a part of the plan, or says how to make it. */
struct line {
	struct options options;
	struct plan_phase phase; /* the one without a script */
	bool script;
};

#define AT(field) .at = offsetof(struct line, options.field)

/* A word that a script has too. */
static bool take_word(const struct flag *flag, void *line, const char *value, char *wrong)
{
	return plan_set(&((struct line *)line)->options.plan, flag->name, value, wrong);
}

static bool take_phase(const struct flag *flag, void *line, const char *value, char *wrong)
{
	const char *word = strcmp(flag->name, "duration") == 0 ? "for" : flag->name;
	return plan_set_phase(&((struct line *)line)->phase, word, value, wrong);
}

static bool take_script(const struct flag *flag, void *line, const char *value, char *wrong)
{
	struct line *l = line;
	(void)flag;
	l->script = true;
	return plan_read(&l->options.plan, value, wrong);
}

static bool take_settle(const struct flag *flag, void *line, const char *value, char *wrong)
{
	(void)flag;
	snprintf(wrong, FLAG_WRONG, "a time looks like 10s, 500ms or 2m, not '%.100s'", value);
	return plan_time(value, &((struct line *)line)->options.settle);
}

static bool take_linger(const struct flag *flag, void *line, const char *value, char *wrong)
{
	char *end;
	const long us = strtol(value, &end, 10);
	(void)flag;
	snprintf(wrong, FLAG_WRONG, "it is microseconds in -1..1000000, not '%.100s'", value);
	/* For the library 0 is the default; for a user it is none. */
	((struct line *)line)->options.kudos.linger_us = us > 0 ? (int)us : -1;
	return end != value && *end == '\0' && us >= -1 && us <= 1000000;
}

#define OWN(taken_by) .kind = FLAG_OWN, .take = (taken_by)

static const struct flag flags[] = {
    FLAGS_CLUSTER(AT(kudos.leaders), AT(kudos.server), AT(kudos.key_file), AT(kudos.trust_dir)),
    {"script", 0, "FILE", "phases and steps from a file, see kudos-load(1)", OWN(take_script)},
    {"clients", 0, "N", "clients, spread over the servers by the leader (10)", OWN(take_word)},
    {"connections", 0, "N",
     "handles that the clients share, each with a session of its own (a handle for each)", OWN(take_word)},
    {"keys", 0, "N", "keys (1000)", OWN(take_word)},
    {"distribution", 0, "uniform|zipf", "how likes are spread over keys (uniform)", OWN(take_word)},
    {"zipf", 0, "S", "zipf with this exponent", OWN(take_word)},
    {"prefix", 0, "TEXT", "keys are TEXTkey:0, TEXTkey:1, ... (a random one for each run)", OWN(take_word)},
    {"key-size", 0, "BYTES", "keys of at least so many bytes", OWN(take_word)},
    {"seed", 0, "N", "seed of the draws of keys (1)", OWN(take_word)},
    {"window", 0, "N", "likes in flight of one client (65536)", OWN(take_word)},
    {"linger", 0, "US", "microseconds a batch may gather likes (1000; negative: none)", OWN(take_linger)},
    {"rate", 0, "N", "likes a second of all clients together (max: as fast as it goes)", OWN(take_phase)},
    {"duration", 0, "T", "how long: 10s, 500ms, 2m (10s)", OWN(take_phase)},
    {"count", 0, "N", "until so many likes are sent", OWN(take_phase)},
    {"timeout", 0, "S", "seconds that a single call may take (KUDOS_TIMEOUT; 5)", "KUDOS_TIMEOUT", NULL,
     FLAG_SECONDS, AT(kudos.timeout_ms), .most = 86400},
    {"settle", 0, "T", "how long to wait for missing answers and for equal counts (10s)", OWN(take_settle)},
    {"no-check", 0, NULL, "do not compare counts at the end", NULL, NULL, FLAG_YES, AT(no_check)},
    {"json", 0, NULL, "one JSON object instead of text", NULL, NULL, FLAG_YES, AT(json)},
    {0},
};

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct flags all = {
	    .list = flags,
	    .usage = "[FLAGS] [--duration T] [--count N]\n"
		     "       kudos-load [FLAGS] --script FILE",
	    .about = "Sends likes by many clients, then checks that every server counted each exactly once.",
	    .after = "Exit status: 0 all went well and every count is right, 1 not, 2 wrong usage.",
	};
	struct line line = {.options = {.settle = 10 * NS_PER_S}, .phase = {.name = "load"}};
	struct plan *plan = &line.options.plan;
	struct plan_phase *phase = &line.phase;
	char error[PLAN_ERROR];
	plan_init(plan);
	flags_parse(&all, argc, argv, &line);
	if (line.script && (phase->rate > 0 || phase->duration || phase->count))
		flags_wrong(
		    "--rate, --duration and --count say what --script says already; use one or the other");
	if (!line.script) {
		if (!phase->duration && !phase->count)
			phase->duration = 10 * NS_PER_S;
		plan->phases[plan->phase_count++] = *phase;
	}
	if (!plan_finish(plan, error))
		flags_wrong("%s", error);
	*options = line.options;
}
