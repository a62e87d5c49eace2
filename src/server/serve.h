/* SPDX-License-Identifier: MIT */
/* The client port: clients' batches, reads and questions; other servers' fetches, snapshots and membership.
 * One handler a message type; who asks must have said hello. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "net/port.h"

extern const struct port_rules serve_rules; /* of a host's port */

#endif
