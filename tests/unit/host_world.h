/* SPDX-License-Identifier: MIT */
/* A server without its sockets and its disk, for tests that each look at one side of it: who it is, and
 * nowhere for what the test does not look at. */
#ifndef UNIT_HOST_WORLD_H
#define UNIT_HOST_WORLD_H

#include "server/host.h"

#define PEER 20 /* node of the only peer that there is */

static const struct member self = {
    .node = {1}, .origin = {2}, .since = 1, .name = "s", .secret = {{1, 2, 3}}};

static inline void drop_sent(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	(void)arg;
	(void)id;
	(void)id_size;
	(void)data;
	(void)size;
}

static inline void drop_published(void *arg, const void *topic, size_t topic_size, const void *data,
				  size_t size)
{
	drop_sent(arg, topic, topic_size, data, size);
}

static inline void drop_for_peer(void *arg, struct node peer, const void *data, size_t size)
{
	(void)peer;
	drop_sent(arg, NULL, 0, data, size);
}

static inline void drop_for_leader(void *arg, size_t leader, const void *data, size_t size)
{
	(void)leader;
	drop_sent(arg, NULL, 0, data, size);
}

static inline void drop_members(void *arg, const struct members *members)
{
	(void)arg;
	(void)members;
}

#endif
