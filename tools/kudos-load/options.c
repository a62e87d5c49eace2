/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "flag.h"

#define EXIT_USAGE 2

enum {
	FLAG_TIMEOUT = FLAG_OWN,
	FLAG_SCRIPT,
	FLAG_SETTLE,
	FLAG_LINGER,
	FLAG_JSON,
	FLAG_NO_CHECK,
	FLAG_HELP,
	FLAG_VERSION,
	FLAG_RATE, /* these three make up the one phase without a script */
	FLAG_DURATION,
	FLAG_COUNT,
	FLAG_WORD /* words that a script has too */
};

static const struct flag flags[] = {
    FLAGS_CLUSTER,
    {"clients", FLAG_WORD, "N", "clients, spread over the servers by the leader (10)"},
    {"connections", FLAG_WORD, "N",
     "handles that the clients share, each with a session of its own (a handle for each)"},
    {"keys", FLAG_WORD, "N", "keys (1000)"},
    {"distribution", FLAG_WORD, "uniform|zipf", "how likes are spread over keys (uniform)"},
    {"zipf", FLAG_WORD, "S", "zipf with this exponent"},
    {"prefix", FLAG_WORD, "TEXT", "keys are TEXTkey:0, TEXTkey:1, ... (a random one for each run)"},
    {"key-size", FLAG_WORD, "BYTES", "keys of at least so many bytes"},
    {"seed", FLAG_WORD, "N", "seed of the draws of keys (1)"},
    {"window", FLAG_WORD, "N", "likes in flight of one client (65536)"},
    {"linger", FLAG_LINGER, "US", "microseconds a batch may gather likes (1000; negative: none)"},
    {"rate", FLAG_RATE, "N", "likes a second of all clients together (max: as fast as it goes)"},
    {"duration", FLAG_DURATION, "T", "how long: 10s, 500ms, 2m (10s)"},
    {"count", FLAG_COUNT, "N", "until so many likes are sent"},
    {"script", FLAG_SCRIPT, "FILE", "phases and steps from a file, see kudos-load(1)"},
    {"timeout", FLAG_TIMEOUT, "S", "seconds that a single call may take ($KUDOS_TIMEOUT; 5)"},
    {"settle", FLAG_SETTLE, "T", "how long to wait for missing answers and for equal counts (10s)"},
    {"no-check", FLAG_NO_CHECK, NULL, "do not compare counts at the end"},
    {"json", FLAG_JSON, NULL, "one JSON object instead of text"},
    {"help", FLAG_HELP, NULL, "show this help"},
    {"version", FLAG_VERSION, NULL, "show the version"},
    {0},
};

static void print_help(void)
{
	puts("Usage: kudos-load [FLAGS] [--duration T] [--count N]\n"
	     "       kudos-load [FLAGS] --script FILE\n"
	     "Sends likes by many clients, then checks that every server counted each exactly once.\n");
	flag_help(flags);
	puts("\nExit status: 0 all went well and every count is right, 1 not, 2 wrong usage.");
}

static int usage(const char *what)
{
	fprintf(stderr, "kudos-load: %s\nTry: kudos-load --help\n", what);
	return EXIT_USAGE;
}

static int bad_value(const char *flag, const char *error)
{
	fprintf(stderr, "kudos-load: --%s: %s\nTry: kudos-load --help\n", flag, error);
	return EXIT_USAGE;
}

static bool set_timeout(struct options *options, const char *value)
{
	int64_t ns;
	if (!plan_time(value, &ns) || ns < NS_PER_MS || ns > 86400 * NS_PER_S)
		return false;
	options->kudos.timeout_ms = (int)(ns / NS_PER_MS);
	return true;
}

static bool set_linger(struct options *options, const char *value)
{
	char *end;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): this flag has a value */
	const long us = strtol(value, &end, 10);
	if (end == value || *end != '\0' || us < -1 || us > 1000000)
		return false;
	/* For the library 0 is the default; for a user it is none. */
	options->kudos.linger_us = us > 0 ? (int)us : -1;
	return true;
}

static int from_environment(struct options *options)
{
	const char *timeout = getenv("KUDOS_TIMEOUT");
	flag_cluster_begin(&options->kudos);
	if (timeout && !set_timeout(options, timeout))
		return usage("KUDOS_TIMEOUT: a timeout is a number of seconds");
	return -1;
}

static int take_flag(struct options *options, struct plan_phase *phase, int flag, const char *name,
		     const char *value)
{
	char error[PLAN_ERROR] = "";
	bool good = true;
	if (flag_cluster(&options->kudos, flag, value))
		return -1;
	switch (flag) {
	case FLAG_TIMEOUT:
		good = set_timeout(options, value);
		snprintf(error, sizeof(error), "a timeout is a number of seconds, not '%.100s'", value);
		break;
	case FLAG_SETTLE:
		good = plan_time(value, &options->settle);
		snprintf(error, sizeof(error), "a time looks like 10s, 500ms or 2m, not '%.100s'", value);
		break;
	case FLAG_LINGER:
		good = set_linger(options, value);
		snprintf(error, sizeof(error), "it is microseconds in -1..1000000, not '%.100s'", value);
		break;
	case FLAG_JSON:
		options->json = true;
		break;
	case FLAG_NO_CHECK:
		options->check = false;
		break;
	case FLAG_RATE:
	case FLAG_DURATION:
	case FLAG_COUNT:
		good = plan_set_phase(phase, flag == FLAG_DURATION ? "for" : name, value, error);
		break;
	case FLAG_WORD:
		good = plan_set(&options->plan, name, value, error);
		break;
	default:
		break;
	}
	return good ? -1 : bad_value(name, error);
}

/* One pass over argv. early: only what comes before all else; a script's words are then overwritten by the
 * flags in a second pass. */
static int walk(struct options *options, int argc, char **argv, struct plan_phase *phase, const char **script,
		bool early)
{
	struct option table[sizeof flags / sizeof *flags];
	int index = 0, flag;
	flag_options(flags, table);
	optind = 0;
	opterr = early;
	while ((flag = getopt_long(argc, argv, "", table, &index)) != -1) {
		int r = -1;
		if (flag == '?') {
			fputs("Try: kudos-load --help\n", stderr);
			r = EXIT_USAGE;
		} else if (early && flag == FLAG_HELP) {
			print_help();
			r = 0;
		} else if (early && flag == FLAG_VERSION) {
			puts("kudos-load " KUDOS_VERSION);
			r = 0;
		} else if (flag == FLAG_SCRIPT) {
			*script = optarg;
		} else if (!early) {
			r = take_flag(options, phase, flag, flags[index].name, optarg);
		}
		if (r >= 0)
			return r;
	}
	if (optind < argc) {
		fprintf(stderr, "kudos-load: '%s' is not a flag\nTry: kudos-load --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static int say(const char *error)
{
	fprintf(stderr, "kudos-load: %s\n", error);
	return EXIT_USAGE;
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct plan_phase phase = {.name = "load"};
	const char *script = NULL;
	char error[PLAN_ERROR];
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		flag_complete(flags, argc > 3 ? argv[argc - 2] : NULL, argc > 2 ? argv[argc - 1] : "");
		return 0;
	}
	*options = (struct options){.settle = 10 * NS_PER_S, .check = true};
	plan_init(&options->plan);
	int r = from_environment(options);
	if (r < 0)
		r = walk(options, argc, argv, &phase, &script, true);
	if (r >= 0)
		return r;
	if (script && !plan_read(&options->plan, script, error))
		return say(error);
	r = walk(options, argc, argv, &phase, &script, false);
	if (r >= 0)
		return r;
	const bool phase_given = phase.rate > 0 || phase.duration || phase.count;
	if (script && phase_given)
		return usage(
		    "--rate, --duration and --count say what --script says already; use one or the other");
	if (!script) {
		if (!phase.duration && !phase.count)
			phase.duration = 10 * NS_PER_S;
		options->plan.phases[options->plan.phase_count++] = phase;
	}
	return plan_finish(&options->plan, error) ? -1 : say(error);
}
