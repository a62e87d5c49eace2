/* SPDX-License-Identifier: MIT */
/* The gateway's flags; each has an environment variable. */
#ifndef GATEWAY_OPTIONS_H
#define GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"

#define OPTIONS_PROXIES 16

struct options {
	const char *leaders, *server; /* as kudos_open() takes them */
	const char *key, *trust;
	const char *address;
	int port;
	int timeout_ms;				 /* for an answer of the cluster */
	int connections;			 /* at once */
	int watch_rate;				 /* changes a second and key that a watcher is told */
	const char *tokens;			 /* a file; NULL: none */
	const char *origins;			 /* of pages that may ask, with commas; NULL: none */
	const char *proxy;			 /* as given */
	struct address proxies[OPTIONS_PROXIES]; /* whose X-Forwarded-For is believed */
	size_t proxy_count;
	int rate;		 /* requests a second and address; 0: no limit */
	int address_connections; /* at once, from one address; 0: no limit */
	int patience_ms;	 /* for a request to come, or an answer to be taken */
	bool access_log;
	bool insecure; /* an address outside 127.0.0.0/8 */
};

/* Ends the process with status 2 and a message when they are wrong, with 0 for --help and --version. */
void options_parse(struct options *options, int argc, char **argv);

#endif
