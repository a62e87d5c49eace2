/* SPDX-License-Identifier: MIT */
/* What a host sends, and by whom. Nothing needs to arrive: what cannot be sent now is asked for again. */
#ifndef SERVER_OUT_H
#define SERVER_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "core/members.h"
#include "wire/message.h"

struct host_io {
	void *arg;
	/* To a connection of the client port; what cannot be sent at once is dropped: whoever asked asks
	 * again. */
	void (*send)(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size);
	void (*send_peer)(void *arg, struct node peer, const void *data, size_t size);
	void (*send_leader)(void *arg, size_t leader, const void *data, size_t size);
	void (*publish)(void *arg, const void *topic, size_t topic_size, const void *data, size_t size);
	/* Peers came, went or moved: connect to the notify and client ports of these, and of no others. */
	void (*members)(void *arg, const struct members *members);
};

struct out {
	struct host_io io;
	struct bytes bytes; /* the message being encoded */
};

void out_peer(struct out *o, struct node peer, const struct message *m);
void out_leader(struct out *o, size_t leader, const struct message *m);
/* Whether there was memory for it. */
bool out_publish(struct out *o, const void *topic, size_t topic_size, const struct message *m);

/* A server's hello, and its membership. */
struct message out_hello(struct node self);
struct message out_members(struct node self, const struct members *members);

#endif
