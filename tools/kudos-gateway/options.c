/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flags.h"
#include "kudos.h"

#define DEFAULT_PORT "8080"
#define DEFAULT_TIMEOUT "5"
#define DEFAULT_CONNECTIONS "12000"
#define DEFAULT_WATCH_RATE "20"
#define DEFAULT_PATIENCE "30"

enum flag {
	FLAG_PORT = 'p',
	FLAG_LEADER = 256,
	FLAG_SERVER,
	FLAG_BIND,
	FLAG_TIMEOUT,
	FLAG_CONNECTIONS,
	FLAG_WATCH_RATE,
	FLAG_KEY,
	FLAG_TRUST,
	FLAG_TOKENS,
	FLAG_ORIGIN,
	FLAG_PROXY,
	FLAG_RATE,
	FLAG_ADDRESS_CONNECTIONS,
	FLAG_PATIENCE,
	FLAG_ACCESS_LOG,
	FLAG_INSECURE
};

/* What the user wrote, or NULL. */
struct given {
	struct options *options;
	const char *port, *timeout, *connections, *watch_rate;
	const char *origin, *proxy, *rate, *address_connections, *patience;
};

static const struct argp_option flags[] = {
    {"port", FLAG_PORT, "PORT", 0, "Port to listen on (KUDOS_GATEWAY_PORT; " DEFAULT_PORT ")", 0},
    {"bind", FLAG_BIND, "ADDR", 0, "IPv4 address to listen on (KUDOS_GATEWAY_BIND; 127.0.0.1)", 0},
    {"leader", FLAG_LEADER, "EP[,EP...]", 0, "The leaders (KUDOS_LEADER; " KUDOS_DEFAULT_LEADER ")", 0},
    {"server", FLAG_SERVER, "EP", 0, "Use this server, ask no leader (KUDOS_SERVER)", 0},
    {"timeout", FLAG_TIMEOUT, "SECONDS", 0,
     "How long a request waits for the cluster (KUDOS_TIMEOUT; " DEFAULT_TIMEOUT ")", 0},
    {"connections", FLAG_CONNECTIONS, "N", 0,
     "Connections at once (KUDOS_GATEWAY_CONNECTIONS; " DEFAULT_CONNECTIONS ")", 0},
    {"watch-rate", FLAG_WATCH_RATE, "N", 0,
     "Changes a second that a watcher is told of a key (KUDOS_GATEWAY_WATCH_RATE; " DEFAULT_WATCH_RATE ")",
     0},
    {"key", FLAG_KEY, "FILE", 0, "The gateway's secret key, for a cluster that has keys (KUDOS_KEY)", 0},
    {"trust", FLAG_TRUST, "DIR", 0, "Folder with the cluster's certificate (KUDOS_TRUST)", 0},
    {"tokens", FLAG_TOKENS, "FILE", 0,
     "Bearer tokens, a line ROLE TOKEN [NAME] each, and nothing without one (KUDOS_GATEWAY_TOKENS)", 0},
    {"origin", FLAG_ORIGIN, "URL[,URL...]", 0, "Pages from there may ask (KUDOS_GATEWAY_ORIGIN)", 0},
    {"proxy", FLAG_PROXY, "ADDR[,ADDR...]", 0,
     "Believe the X-Forwarded-For of these addresses (KUDOS_GATEWAY_PROXY)", 0},
    {"rate", FLAG_RATE, "N", 0, "Requests a second from one address (KUDOS_GATEWAY_RATE; 0: no limit)", 0},
    {"address-connections", FLAG_ADDRESS_CONNECTIONS, "N", 0,
     "Connections at once from one address (KUDOS_GATEWAY_ADDRESS_CONNECTIONS; 0: no limit)", 0},
    {"patience", FLAG_PATIENCE, "SECONDS", 0,
     "Within it a whole request must come, and an answer be taken (KUDOS_GATEWAY_PATIENCE; " DEFAULT_PATIENCE
     ")",
     0},
    {"access-log", FLAG_ACCESS_LOG, NULL, 0,
     "A line of JSON on stdout for each request (KUDOS_GATEWAY_ACCESS_LOG)", 0},
    {"insecure", FLAG_INSECURE, NULL, 0,
     "Allow an address outside 127.0.0.0/8 without tokens: whoever reaches it may like (KUDOS_INSECURE)", 0},
    {0},
};

static const char *setting(const char *flag, const char *variable, const char *otherwise)
{
	const char *value = flag ? flag : getenv(variable);
	return value && *value ? value : otherwise;
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);
	return value && *value && strcmp(value, "0") != 0;
}

static int number(struct argp_state *state, const char *name, const char *text, long least, long most)
{
	char *end;
	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno || *end || end == text || value < least || value > most)
		argp_error(state, "%s \"%s\": a whole number, %ld to %ld", name, text, least, most);
	return (int)value;
}

static int milliseconds(struct argp_state *state, const char *name, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);
	if (*end || end == text || !(seconds > 0 && seconds <= 3600))
		argp_error(state, "%s \"%s\": seconds, more than 0 and at most 3600", name, text);
	return (int)ceil(seconds * 1000);
}

static void check_address(struct argp_state *state, const struct options *o)
{
	struct in_addr address;
	if (inet_pton(AF_INET, o->address, &address) != 1)
		argp_error(state, "--bind \"%s\": an IPv4 address such as 127.0.0.1", o->address);
	if (ntohl(address.s_addr) >> 24 != 127 && !o->tokens && !o->insecure)
		argp_error(
		    state,
		    "--bind %s: whoever reaches that address may like; give --tokens, put a proxy before "
		    "127.0.0.1, or say --insecure",
		    o->address);
}

static void parse_proxies(struct argp_state *state, struct options *o, const char *list)
{
	while (list && *list) {
		size_t size = strcspn(list, ",");
		if (o->proxy_count == OPTIONS_PROXIES ||
		    !address_parse(&o->proxies[o->proxy_count++], list, size))
			argp_error(state, "--proxy \"%.*s\": at most %d addresses such as 127.0.0.1",
				   (int)size, list, OPTIONS_PROXIES);
		list += size + (list[size] == ',');
	}
}

static void complete_door(struct argp_state *state, const struct given *given)
{
	struct options *o = given->options;
	o->tokens = setting(o->tokens, "KUDOS_GATEWAY_TOKENS", NULL);
	o->origins = setting(given->origin, "KUDOS_GATEWAY_ORIGIN", NULL);
	parse_proxies(state, o, setting(given->proxy, "KUDOS_GATEWAY_PROXY", NULL));
	o->rate = number(state, "--rate", setting(given->rate, "KUDOS_GATEWAY_RATE", "0"), 0, 1000000);
	o->address_connections =
	    number(state, "--address-connections",
		   setting(given->address_connections, "KUDOS_GATEWAY_ADDRESS_CONNECTIONS", "0"), 0, 1000000);
	o->patience_ms = milliseconds(state, "--patience",
				      setting(given->patience, "KUDOS_GATEWAY_PATIENCE", DEFAULT_PATIENCE));
	o->access_log |= is_set("KUDOS_GATEWAY_ACCESS_LOG");
}

/* After the flags, which win; before the defaults. */
static void complete(struct argp_state *state, const struct given *given)
{
	struct options *o = given->options;
	/* A leader asked for by flag beats a server that the environment names. */
	if (!o->leaders || o->server)
		o->server = setting(o->server, "KUDOS_SERVER", NULL);
	o->leaders = setting(o->leaders, "KUDOS_LEADER", NULL);
	o->key = setting(o->key, "KUDOS_KEY", NULL);
	o->trust = setting(o->trust, "KUDOS_TRUST", NULL);
	o->insecure |= is_set("KUDOS_INSECURE");
	o->address = setting(o->address, "KUDOS_GATEWAY_BIND", "127.0.0.1");
	o->port = number(state, "--port", setting(given->port, "KUDOS_GATEWAY_PORT", DEFAULT_PORT), 1, 65535);
	o->timeout_ms =
	    milliseconds(state, "--timeout", setting(given->timeout, "KUDOS_TIMEOUT", DEFAULT_TIMEOUT));
	o->connections =
	    number(state, "--connections",
		   setting(given->connections, "KUDOS_GATEWAY_CONNECTIONS", DEFAULT_CONNECTIONS), 1, 1000000);
	o->watch_rate =
	    number(state, "--watch-rate",
		   setting(given->watch_rate, "KUDOS_GATEWAY_WATCH_RATE", DEFAULT_WATCH_RATE), 1, 1000);
	complete_door(state, given);
	check_address(state, o);
}

/* Where a flag's value goes. */
static const char **place(struct given *given, int flag)
{
	switch (flag) {
	case FLAG_PORT:
		return &given->port;
	case FLAG_LEADER:
		return &given->options->leaders;
	case FLAG_SERVER:
		return &given->options->server;
	case FLAG_BIND:
		return &given->options->address;
	case FLAG_TIMEOUT:
		return &given->timeout;
	case FLAG_CONNECTIONS:
		return &given->connections;
	case FLAG_WATCH_RATE:
		return &given->watch_rate;
	case FLAG_KEY:
		return &given->options->key;
	case FLAG_TRUST:
		return &given->options->trust;
	case FLAG_TOKENS:
		return &given->options->tokens;
	case FLAG_ORIGIN:
		return &given->origin;
	case FLAG_PROXY:
		return &given->proxy;
	case FLAG_RATE:
		return &given->rate;
	case FLAG_ADDRESS_CONNECTIONS:
		return &given->address_connections;
	case FLAG_PATIENCE:
		return &given->patience;
	default:
		return NULL;
	}
}

/* NOLINTNEXTLINE(readability-non-const-parameter): argp's type */
static error_t parse_flag(int flag, char *value, struct argp_state *state)
{
	struct given *given = state->input;
	const char **to = place(given, flag);
	if (to && *to && (flag == FLAG_ORIGIN || flag == FLAG_PROXY || flag == FLAG_LEADER))
		argp_error(state, "--%s is given twice: name all in one, separated by commas",
			   flag == FLAG_ORIGIN	? "origin"
			   : flag == FLAG_PROXY ? "proxy"
						: "leader");
	if (to)
		*to = value;
	else if (flag == FLAG_INSECURE)
		given->options->insecure = true;
	else if (flag == FLAG_ACCESS_LOG)
		given->options->access_log = true;
	else if (flag == ARGP_KEY_END)
		complete(state, given);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct argp argp = {
	    .options = flags,
	    .parser = parse_flag,
	    .doc = "A door for the web to a Kudos cluster: likes, counts and live counts over HTTP.\v"
		   "Each flag has the environment variable named behind it; a flag wins. Several gateways "
		   "may run "
		   "side by side: none keeps anything.",
	};
	struct given given = {.options = options};
	*options = (struct options){0};
	flags_parse(&argp, "kudos-gateway " KUDOS_VERSION, argc, argv, &given);
}
