/* SPDX-License-Identifier: MIT */
#include "server/options.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/flags.h"
#include "kudos.h"
#include "net/socket.h"

enum flag {
	FLAG_DEBUG = 'd',
	FLAG_LEADER = 256,
	FLAG_CLIENT_PORT,
	FLAG_NOTIFY_PORT,
	FLAG_BIND,
	FLAG_ADVERTISE,
	FLAG_DATA,
	FLAG_JOURNAL,
	FLAG_NATS_CREDS,
	FLAG_NATS_CA,
	FLAG_NAME,
	FLAG_ACK_PEERS,
	FLAG_MEMORY_ONLY,
	FLAG_ACCEPT_STALE,
	FLAG_INSECURE,
	FLAG_KEY,
	FLAG_TRUST,
};

static const struct argp_option flags[] = {
    {"leader", FLAG_LEADER, "EP[,EP…]", 0,
     "Leaders to register with (KUDOS_LEADER; " KUDOS_DEFAULT_LEADER ")", 0},
    {"client-port", FLAG_CLIENT_PORT, "N", 0,
     "Port for clients and other servers' requests (KUDOS_CLIENT_PORT; the first free one from 5100 up)", 0},
    {"notify-port", FLAG_NOTIFY_PORT, "N", 0,
     "Port that records and changes are published on (KUDOS_NOTIFY_PORT; the first free one from 5100 up)",
     0},
    {"bind", FLAG_BIND, "ADDR", 0, "IPv4 address to listen on (KUDOS_BIND; 127.0.0.1)", 0},
    {"advertise", FLAG_ADVERTISE, "ADDR", 0,
     "Address that others reach this server at (KUDOS_ADVERTISE; as --bind)", 0},
    {"data", FLAG_DATA, "DIR", 0, "Data folder (KUDOS_DATA; ~/.local/state/kudos/NAME)", 0},
    {"journal", FLAG_JOURNAL, "URL", 0,
     "Keep records in a stream of NATS JetStream instead of the data folder: "
     "nats://HOST[:PORT][,HOST…]/STREAM "
     "(KUDOS_JOURNAL)",
     0},
    {"nats-creds", FLAG_NATS_CREDS, "FILE", 0, "Credentials for NATS (KUDOS_NATS_CREDS)", 0},
    {"nats-ca", FLAG_NATS_CA, "FILE", 0,
     "Use TLS to NATS, whose certificates are signed by one of FILE (KUDOS_NATS_CA)", 0},
    {"name", FLAG_NAME, "NAME", 0, "Name in status and logs (KUDOS_NAME; server-PORT)", 0},
    {"ack-peers", FLAG_ACK_PEERS, "K", 0,
     "Acknowledge a like when K other servers have it on disk, too (KUDOS_ACK_PEERS; 0)", 0},
    {"memory-only", FLAG_MEMORY_ONLY, NULL, 0,
     "Keep nothing on disk, --data or not: what only this server had is lost with it (KUDOS_MEMORY_ONLY)", 0},
    {"accept-stale", FLAG_ACCEPT_STALE, NULL, 0,
     "Serve from a copy of a data folder without another member: what was acknowledged since it was made is "
     "lost "
     "(KUDOS_ACCEPT_STALE)",
     0},
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

static void split_leaders(struct argp_state *state, struct options *o)
{
	const char *at = o->leaders;
	for (;;) {
		size_t size = strcspn(at, ",");
		if (o->leader_count == HOST_LEADERS)
			argp_error(state, "--leader: more than %d leaders", HOST_LEADERS);
		char *endpoint = o->leader[o->leader_count++];
		if (size <= LIMIT_ENDPOINT)
			memcpy(endpoint, at, size);
		if (size > LIMIT_ENDPOINT || !endpoint_valid(endpoint))
			argp_error(state, "--leader: \"%.*s\" is not an endpoint: it looks like %s",
				   (int)size, at, KUDOS_DEFAULT_LEADER);
		if (at[size] == '\0')
			return;
		at += size + 1;
	}
}

static bool word(const char *text, size_t limit)
{
	size_t size = strlen(text);
	for (size_t i = 0; i < size; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return size >= 1 && size <= limit;
}

static void check(struct argp_state *state, struct options *o)
{
	flags_check_keys(state, &o->key, &o->trust);
	flags_check_address(state, o->address, o->insecure || o->key);
	if (!o->advertise && strcmp(o->address, "0.0.0.0") == 0)
		argp_error(state,
			   "--bind 0.0.0.0: say with --advertise at which address others reach this server");
	if (o->advertise && !word(o->advertise, LIMIT_ENDPOINT - 16))
		argp_error(state, "--advertise: \"%s\" is not a host name or address", o->advertise);
	if (o->name && !word(o->name, LIMIT_NAME))
		argp_error(state, "--name: \"%s\" must be 1 to %d printable ASCII characters without spaces",
			   o->name, LIMIT_NAME);
	const char *why = o->journal ? nats_names_parse(&o->stream, o->journal) : NULL;
	if (why)
		argp_error(state, "--journal: \"%s\" is no stream: %s", o->journal, why);
	if (!o->journal && (o->nats_creds || o->nats_ca))
		argp_error(state, "--nats-creds and --nats-ca go with --journal");
	if (o->client_port && o->client_port == o->notify_port)
		argp_error(state, "--client-port and --notify-port must differ");
	split_leaders(state, o);
}

static void complete(struct argp_state *state, struct options *o)
{
	const char *ack_peers = NULL;
	flags_env_string(&o->leaders, "KUDOS_LEADER");
	flags_env_port(state, &o->client_port, "KUDOS_CLIENT_PORT");
	flags_env_port(state, &o->notify_port, "KUDOS_NOTIFY_PORT");
	flags_env_string(&o->address, "KUDOS_BIND");
	flags_env_string(&o->advertise, "KUDOS_ADVERTISE");
	flags_env_string(&o->name, "KUDOS_NAME");
	flags_env_bool(&o->memory_only, "KUDOS_MEMORY_ONLY");
	flags_env_bool(&o->accept_stale, "KUDOS_ACCEPT_STALE");
	flags_env_string(&o->data, "KUDOS_DATA");
	flags_env_string(&o->journal, "KUDOS_JOURNAL");
	flags_env_string(&o->nats_creds, "KUDOS_NATS_CREDS");
	flags_env_string(&o->nats_ca, "KUDOS_NATS_CA");
	flags_env_string(&ack_peers, "KUDOS_ACK_PEERS");
	if (ack_peers && !o->ack_peers_given)
		o->ack_peers = (unsigned)flags_number(state, "KUDOS_ACK_PEERS", ack_peers, LIMIT_MEMBERS - 1);
	flags_env_bool(&o->debug, "KUDOS_DEBUG");
	flags_env_bool(&o->insecure, "KUDOS_INSECURE");
	o->leaders = o->leaders ? o->leaders : KUDOS_DEFAULT_LEADER;
	o->address = o->address ? o->address : "127.0.0.1";
	check(state, o);
}

static error_t parse_flag(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case FLAG_LEADER:
		o->leaders = arg;
		return 0;
	case FLAG_CLIENT_PORT:
		o->client_port = flags_port(state, "--client-port", arg);
		return 0;
	case FLAG_NOTIFY_PORT:
		o->notify_port = flags_port(state, "--notify-port", arg);
		return 0;
	case FLAG_BIND:
		o->address = arg;
		return 0;
	case FLAG_ADVERTISE:
		o->advertise = arg;
		return 0;
	case FLAG_DATA:
		o->data = arg;
		return 0;
	case FLAG_JOURNAL:
		o->journal = arg;
		return 0;
	case FLAG_NATS_CREDS:
		o->nats_creds = arg;
		return 0;
	case FLAG_NATS_CA:
		o->nats_ca = arg;
		return 0;
	case FLAG_NAME:
		o->name = arg;
		return 0;
	case FLAG_ACK_PEERS:
		o->ack_peers = (unsigned)flags_number(state, "--ack-peers", arg, LIMIT_MEMBERS - 1);
		o->ack_peers_given = true;
		return 0;
	case FLAG_MEMORY_ONLY:
		o->memory_only = true;
		return 0;
	case FLAG_ACCEPT_STALE:
		o->accept_stale = true;
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
	    .doc = "Accepts likes, publishes them to every other server of the cluster, and holds a full "
		   "replica of "
		   "every count.\v"
		   "Each flag has the environment variable named behind it; a flag wins. SIGTERM and SIGINT "
		   "stop the "
		   "server after what it has accepted is on disk.",
	};
	*options = (struct options){0};
	flags_parse(&argp, "kudos-server " KUDOS_VERSION, argc, argv, options);
}
