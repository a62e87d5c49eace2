/* SPDX-License-Identifier: MIT */
#include "leader/options.h"

#include "daemon/flags.h"
#include "kudos.h"

enum flag { FLAG_PORT = 'p', FLAG_DEBUG = 'd', FLAG_BIND = 256, FLAG_INSECURE, FLAG_KEY, FLAG_TRUST };

static const struct argp_option flags[] = {
    {"port", FLAG_PORT, "PORT", 0, "Port to listen on (KUDOS_LEADER_PORT; 5001)", 0},
    {"bind", FLAG_BIND, "ADDR", 0, "IPv4 address to listen on (KUDOS_LEADER_BIND; 127.0.0.1)", 0},
    {"debug", FLAG_DEBUG, NULL, 0, "Log more (KUDOS_DEBUG)", 0},
    {"key", FLAG_KEY, "FILE", 0,
     "The cluster's secret key, made by kudos keygen: only with CURVE (KUDOS_KEY)", 0},
    {"trust", FLAG_TRUST, "DIR", 0, "Folder with the certificates of all who may come in (KUDOS_TRUST)", 0},
    {"insecure", FLAG_INSECURE, NULL, 0,
     "Allow an address outside 127.0.0.0/8 without --key: whoever reaches it may like and forget "
     "(KUDOS_INSECURE)",
     0},
    {0},
};

/* After the flags, which win; before the defaults. */
static void complete(struct argp_state *state, struct options *o)
{
	flags_env_port(state, &o->port, "KUDOS_LEADER_PORT");
	flags_env_string(&o->address, "KUDOS_LEADER_BIND");
	flags_env_bool(&o->debug, "KUDOS_DEBUG");
	flags_env_bool(&o->insecure, "KUDOS_INSECURE");
	o->port = o->port ? o->port : 5001;
	o->address = o->address ? o->address : "127.0.0.1";
	flags_check_keys(state, &o->key, &o->trust);
	flags_check_address(state, o->address, o->insecure || o->key);
}

static error_t parse_flag(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case FLAG_PORT:
		o->port = flags_port(state, "--port", arg);
		return 0;
	case FLAG_BIND:
		o->address = arg;
		return 0;
	case FLAG_DEBUG:
		o->debug = true;
		return 0;
	case FLAG_KEY:
		o->key = arg;
		return 0;
	case FLAG_TRUST:
		o->trust = arg;
		return 0;
	case FLAG_INSECURE:
		o->insecure = true;
		return 0;
	case ARGP_KEY_END:
		complete(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct argp argp = {
	    .options = flags,
	    .parser = parse_flag,
	    .doc =
		"Registers the servers of a Kudos cluster, tells them of each other, and sends each client "
		"to the server with the least to do.\v"
		"Each flag has the environment variable named behind it; a flag wins. SIGTERM and SIGINT "
		"stop the leader; servers and their clients go on without it.",
	};
	*options = (struct options){0};
	flags_parse(&argp, "kudos-leader " KUDOS_VERSION, argc, argv, options);
}
