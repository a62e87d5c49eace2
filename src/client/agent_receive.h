/* SPDX-License-Identifier: MIT */
/* The agent's half that is told what arrived; see agent.h. */
#ifndef CLIENT_AGENT_RECEIVE_H
#define CLIENT_AGENT_RECEIVE_H

#include <stddef.h>
#include <stdint.h>

struct agent;

/* From leader `index`, from the server named last. */
void agent_receive_leader(struct agent *a, int64_t now, size_t index, const void *data, size_t size);
void agent_receive_server(struct agent *a, int64_t now, const void *data, size_t size);
/* The connection to the server named last ended. Whoever cannot tell need not: silence does, later. */
void agent_disconnected(struct agent *a, int64_t now);

#endif
