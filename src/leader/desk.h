/* SPDX-License-Identifier: MIT */
/* The leader without its sockets: conversations with servers and clients over the directory's rules. The
 * daemon feeds it from a ROUTER, the simulator from its own network. Time is in µs and comes in. */
#ifndef LEADER_DESK_H
#define LEADER_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/map.h"
#include "core/directory.h"
#include "core/passed.h"
#include "kudos.h"
#include "net/port.h"
#include "wire/message.h"

struct desk {
	struct directory directory;
	struct port port;
	struct map registrations; /* by node; push.c's */
	bool push_wanted;	  /* at the next desk_tick() */
	struct passed drains;	  /* drain.c's */
};

/* 0 or -ENOMEM. incarnation: random, fresh at every start. own_endpoint: by reference, for texts. */
int desk_init(struct desk *desk, uint64_t incarnation, const char *own_endpoint, port_send_fn send,
	      void *arg);
void desk_deinit(struct desk *desk);

/* One message from a connection with this identity (1..255 bytes), whose key has this role. 0, or -ENOMEM or
 * what send returned below 0: this message was lost, the desk is whole. */
int desk_receive(struct desk *desk, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		 const void *data, size_t size);

/* What is due: membership pushes, servers that fell silent, idle connections. Call it after a run of
 * desk_receive() (several registrations then need one push) and at the deadline. */
void desk_tick(struct desk *desk, int64_t now);
int64_t desk_deadline(const struct desk *desk); /* 0: at once; NEVER */

#endif
