/* SPDX-License-Identifier: MIT */
/* The server's command line and environment: flag over environment over default. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>

#include "server/host.h"
#include "store/nats_names.h"

struct options {
	const char *leaders; /* as given; split below */
	char leader[LIMIT_LEADERS][LIMIT_ENDPOINT + 1];
	size_t leader_count;
	const char *address;	  /* IPv4, to bind to */
	const char *advertise;	  /* what others connect to; NULL: address */
	const char *data;	  /* NULL: in the user's state folder, by name */
	const char *name;	  /* NULL: server-PORT */
	const char *journal;	  /* a stream's URL; NULL: in the data folder */
	struct nats_names stream; /* what that says */
	const char *nats_creds, *nats_ca;
	int client_port, notify_port; /* 0: the first free one */
	const char *key, *trust;      /* CURVE: files; both NULL: without */
	int ack_peers;
	bool purge_history, keep_history; /* the second wins */
	bool memory_only, accept_stale, debug, insecure;
};

/* Ends the process after --help and --version (0), or with a message on stderr after a usage error (2). */
void options_parse(struct options *options, int argc, char **argv);

#endif
