/* SPDX-License-Identifier: MIT */
/* The host's sockets: one ROUTER for clients and peers' requests, one XPUB for peers, one SUB to all peers,
 * one DEALER for each peer and each leader, all in one thread. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "daemon/notify.h"
#include "server/host.h"
#include "server/options.h"

struct server;

/* Binds, opens the data folder and recovers. NULL: it has been logged why. notify is told how it fares; by
 * reference. */
struct server *server_new(const struct options *o, struct notify *notify);
void server_free(struct server *s); /* takes NULL */
const struct member *server_self(const struct server *s);
/* Until SIGTERM or SIGINT (0), or for a reason that has been logged: this node was forgotten
 * (KUDOS_FORGOTTEN), or a failure (negative). */
int server_run(struct server *s);

#endif
