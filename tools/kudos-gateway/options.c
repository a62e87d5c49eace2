/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <arpa/inet.h>
#include <string.h>

#include "daemon/flags.h"
#include "kudos.h"

#define AT(field) .at = offsetof(struct options, field)

static const struct flag flags[] = {
    {"port", 'p', "PORT", "Port to listen on (KUDOS_GATEWAY_PORT; 8080)", "KUDOS_GATEWAY_PORT", "8080",
     FLAG_PORT, AT(port)},
    {"bind", 0, "ADDR", "IPv4 address to listen on (KUDOS_GATEWAY_BIND; 127.0.0.1)", "KUDOS_GATEWAY_BIND",
     "127.0.0.1", AT(address)},
    {"leader", 0, "EP[,EP...]", "The leaders (KUDOS_LEADER; " KUDOS_DEFAULT_LEADER ")", "KUDOS_LEADER", NULL,
     FLAG_LIST, AT(leaders)},
    {"server", 0, "EP", "Use this server, ask no leader (KUDOS_SERVER)", "KUDOS_SERVER", AT(server),
     .unless = "leader"},
    {"timeout", 0, "SECONDS", "How long a request waits for the cluster (KUDOS_TIMEOUT; 5)", "KUDOS_TIMEOUT",
     "5", FLAG_SECONDS, AT(timeout_ms), .most = 3600},
    {"connections", 0, "N", "Connections at once (KUDOS_GATEWAY_CONNECTIONS; 12000)",
     "KUDOS_GATEWAY_CONNECTIONS", "12000", FLAG_NUMBER, AT(connections), .least = 1, .most = 1000000},
    {"watch-rate", 0, "N", "Changes a second that a watcher is told of a key (KUDOS_GATEWAY_WATCH_RATE; 20)",
     "KUDOS_GATEWAY_WATCH_RATE", "20", FLAG_NUMBER, AT(watch_rate), .least = 1, .most = 1000},
    {"key", 0, "FILE", "The gateway's secret key, for a cluster that has keys (KUDOS_KEY)", "KUDOS_KEY",
     AT(key)},
    {"trust", 0, "DIR", "Folder with the cluster's certificate (KUDOS_TRUST)", "KUDOS_TRUST", AT(trust)},
    {"tokens", 0, "FILE",
     "Bearer tokens, a line ROLE TOKEN [NAME] each, and nothing without one (KUDOS_GATEWAY_TOKENS)",
     "KUDOS_GATEWAY_TOKENS", AT(tokens)},
    {"origin", 0, "URL[,URL...]", "Pages from there may ask (KUDOS_GATEWAY_ORIGIN)", "KUDOS_GATEWAY_ORIGIN",
     NULL, FLAG_LIST, AT(origins)},
    {"proxy", 0, "ADDR[,ADDR...]", "Believe the X-Forwarded-For of these addresses (KUDOS_GATEWAY_PROXY)",
     "KUDOS_GATEWAY_PROXY", NULL, FLAG_LIST, AT(proxy)},
    {"rate", 0, "N", "Requests a second from one address (KUDOS_GATEWAY_RATE; 0: no limit)",
     "KUDOS_GATEWAY_RATE", NULL, FLAG_NUMBER, AT(rate), .most = 1000000},
    {"address-connections", 0, "N",
     "Connections at once from one address (KUDOS_GATEWAY_ADDRESS_CONNECTIONS; 0: no limit)",
     "KUDOS_GATEWAY_ADDRESS_CONNECTIONS", NULL, FLAG_NUMBER, AT(address_connections), .most = 1000000},
    {"patience", 0, "SECONDS",
     "Within it a whole request must come, and an answer be taken (KUDOS_GATEWAY_PATIENCE; 30)",
     "KUDOS_GATEWAY_PATIENCE", "30", FLAG_SECONDS, AT(patience_ms), .most = 3600},
    {"access-log", 0, NULL, "A line of JSON on stdout for each request (KUDOS_GATEWAY_ACCESS_LOG)",
     "KUDOS_GATEWAY_ACCESS_LOG", NULL, FLAG_YES, AT(access_log)},
    {"insecure", 0, NULL,
     "Allow an address outside 127.0.0.0/8 without tokens: whoever reaches it may like (KUDOS_INSECURE)",
     "KUDOS_INSECURE", NULL, FLAG_YES, AT(insecure)},
    {0},
};

static void check_address(const struct options *o)
{
	struct in_addr address;
	if (inet_pton(AF_INET, o->address, &address) != 1)
		flags_wrong("--bind \"%s\": an IPv4 address such as 127.0.0.1", o->address);
	if (ntohl(address.s_addr) >> 24 != 127 && !o->tokens && !o->insecure)
		flags_wrong(
		    "--bind %s: whoever reaches that address may like; give --tokens, put a proxy before "
		    "127.0.0.1, or say --insecure",
		    o->address);
}

static void parse_proxies(struct options *o, const char *list)
{
	while (list && *list) {
		size_t size = strcspn(list, ",");
		if (o->proxy_count == OPTIONS_PROXIES ||
		    !address_parse(&o->proxies[o->proxy_count++], list, size))
			flags_wrong("--proxy \"%.*s\": at most %d addresses such as 127.0.0.1", (int)size,
				    list, OPTIONS_PROXIES);
		list += size + (list[size] == ',');
	}
}

static void check(void *options)
{
	struct options *o = options;
	parse_proxies(o, o->proxy);
	check_address(o);
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct flags all = {
	    .list = flags,
	    .usage = "[FLAGS]",
	    .about = "A door for the web to a Kudos cluster: likes, counts and live counts over HTTP.",
	    .after = "Each flag has the environment variable named behind it; a flag wins. Several gateways "
		     "may run side by side: none keeps anything.",
	    .check = check,
	};
	*options = (struct options){0};
	flags_parse(&all, argc, argv, options);
}
