/* SPDX-License-Identifier: MIT */
/* What peers publish, and what they answer. Returns as in host.h. */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include "server/host.h"

int peers_published(struct host *h, int64_t now, const void *data, size_t size);
int peers_receive(struct host *h, int64_t now, struct node peer, const void *data, size_t size);

#endif
