/* SPDX-License-Identifier: MIT */
#include "leader/options.h"

#include <stddef.h>

#include "daemon/flags.h"
#include "kudos.h"

#define AT(field) .at = offsetof(struct options, field)

static const struct flag flags[] = {
    {"port", 'p', "PORT", "Port to listen on (KUDOS_LEADER_PORT; 5001)", "KUDOS_LEADER_PORT", "5001",
     FLAG_PORT, AT(port)},
    {"bind", 0, "ADDR", "IPv4 address to listen on (KUDOS_LEADER_BIND; 127.0.0.1)", "KUDOS_LEADER_BIND",
     "127.0.0.1", AT(address)},
    FLAGS_DAEMON(AT(debug), AT(key), AT(trust), AT(insecure)),
    {0},
};

static void check(void *options)
{
	struct options *o = options;
	flags_check_keys(o->key, o->trust);
	flags_check_address(o->address, o->insecure || o->key);
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct flags all = {
	    .list = flags,
	    .usage = "[FLAGS]",
	    .about =
		"Registers the servers of a Kudos cluster, tells them of each other, and sends each client "
		"to the server with the least to do.",
	    .after =
		"Each flag has the environment variable named behind it; a flag wins. SIGTERM and SIGINT "
		"stop the leader; servers and their clients go on without it.",
	    .check = check,
	};
	*options = (struct options){0};
	flags_parse(&all, argc, argv, options);
}
