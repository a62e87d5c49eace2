/* SPDX-License-Identifier: MIT */
#include "server/options.h"

#include <stddef.h>
#include <string.h>

#include "daemon/flags.h"
#include "kudos.h"
#include "net/socket.h"

#define AT(field) .at = offsetof(struct options, field)

static const struct flag flags[] = {
    {"leader", 0, "EP[,EP...]", "Leaders to register with (KUDOS_LEADER; " KUDOS_DEFAULT_LEADER ")",
     "KUDOS_LEADER", KUDOS_DEFAULT_LEADER, AT(leaders)},
    {"client-port", 0, "N",
     "Port for clients and other servers' requests (KUDOS_CLIENT_PORT; the first free one from 5100 up)",
     "KUDOS_CLIENT_PORT", NULL, FLAG_PORT, AT(client_port)},
    {"notify-port", 0, "N",
     "Port that records are published on, for servers (KUDOS_NOTIFY_PORT; the first free one from 5100 up)",
     "KUDOS_NOTIFY_PORT", NULL, FLAG_PORT, AT(notify_port)},
    {"bind", 0, "ADDR", "IPv4 address to listen on (KUDOS_BIND; 127.0.0.1)", "KUDOS_BIND", "127.0.0.1",
     AT(address)},
    {"advertise", 0, "ADDR", "Address that others reach this server at (KUDOS_ADVERTISE; as --bind)",
     "KUDOS_ADVERTISE", AT(advertise)},
    {"data", 0, "DIR", "Data folder (KUDOS_DATA; ~/.local/state/kudos/NAME)", "KUDOS_DATA", AT(data)},
    {"journal", 0, "URL",
     "Keep records in a stream of NATS JetStream instead of the data folder: "
     "nats://HOST[:PORT][,HOST…]/STREAM (KUDOS_JOURNAL)",
     "KUDOS_JOURNAL", AT(journal)},
    FLAGS_NATS(AT(nats_creds), AT(nats_ca)),
    {"purge-history", 0, NULL,
     "Let the stream drop what every member has in a checkpoint, once every member was started with this: "
     "the "
     "stream alone cannot bring counts back then (KUDOS_PURGE_HISTORY)",
     "KUDOS_PURGE_HISTORY", NULL, FLAG_YES, AT(purge_history)},
    {"keep-history", 0, NULL,
     "Drop nothing from the stream, which is so without --purge-history, too (KUDOS_KEEP_HISTORY)",
     "KUDOS_KEEP_HISTORY", NULL, FLAG_YES, AT(keep_history)},
    {"name", 0, "NAME", "Name in status and logs (KUDOS_NAME; server-PORT)", "KUDOS_NAME", AT(name)},
    {"ack-peers", 0, "K", "Acknowledge a like when K other servers have it on disk, too (KUDOS_ACK_PEERS; 0)",
     "KUDOS_ACK_PEERS", NULL, FLAG_NUMBER, AT(ack_peers), .most = LIMIT_MEMBERS - 1},
    {"memory-only", 0, NULL,
     "Keep nothing on disk, --data or not: what only this server had is lost with it (KUDOS_MEMORY_ONLY)",
     "KUDOS_MEMORY_ONLY", NULL, FLAG_YES, AT(memory_only)},
    {"accept-stale", 0, NULL,
     "Serve from a copy of a data folder without another member: what was acknowledged since it was made is "
     "lost (KUDOS_ACCEPT_STALE)",
     "KUDOS_ACCEPT_STALE", NULL, FLAG_YES, AT(accept_stale)},
    FLAGS_DAEMON(AT(debug), AT(key), AT(trust), AT(insecure)),
    {0},
};

static void split_leaders(struct options *o)
{
	const char *at = o->leaders;
	for (;;) {
		size_t size = strcspn(at, ",");
		if (o->leader_count == LIMIT_LEADERS)
			flags_wrong("--leader: more than %d leaders", LIMIT_LEADERS);
		char *endpoint = o->leader[o->leader_count++];
		if (size <= LIMIT_ENDPOINT)
			memcpy(endpoint, at, size);
		if (size > LIMIT_ENDPOINT || !endpoint_valid(endpoint))
			flags_wrong("--leader: \"%.*s\" is not an endpoint: it looks like %s", (int)size, at,
				    KUDOS_DEFAULT_LEADER);
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

static void check(void *options)
{
	struct options *o = options;
	flags_check_keys(o->key, o->trust);
	flags_check_address(o->address, o->insecure || o->key);
	if (!o->advertise && strcmp(o->address, "0.0.0.0") == 0)
		flags_wrong("--bind 0.0.0.0: say with --advertise at which address others reach this server");
	if (o->advertise && !word(o->advertise, LIMIT_ENDPOINT - 16))
		flags_wrong("--advertise: \"%s\" is not a host name or address", o->advertise);
	if (o->name && !word(o->name, LIMIT_NAME))
		flags_wrong("--name: \"%s\" must be 1 to %d printable ASCII characters without spaces",
			    o->name, LIMIT_NAME);
	const char *why = o->journal ? nats_names_parse(&o->stream, o->journal) : NULL;
	if (why)
		flags_wrong("--journal: \"%s\" is no stream: %s", o->journal, why);
	if (!o->journal && (o->nats_creds || o->nats_ca))
		flags_wrong("--nats-creds and --nats-ca go with --journal");
	if (o->purge_history && (!o->journal || o->memory_only))
		flags_wrong("--purge-history goes with --journal, and not with --memory-only: what the "
			    "stream drops is in the members' data folders alone");
	if (o->client_port && o->client_port == o->notify_port)
		flags_wrong("--client-port and --notify-port must differ");
	split_leaders(o);
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct flags all = {
	    .list = flags,
	    .usage = "[FLAGS]",
	    .about = "Accepts likes, publishes them to every other server of the cluster, and holds a full "
		     "replica of every count.",
	    .after =
		"Each flag has the environment variable named behind it; a flag wins. SIGTERM and SIGINT "
		"stop the server after what it has accepted is on disk.",
	    .check = check,
	};
	*options = (struct options){0};
	flags_parse(&all, argc, argv, options);
}
