/* SPDX-License-Identifier: MIT */
/* A server without its sockets and its disk, for tests that each look at one side of it: who it is, and
 * nowhere for what the test does not look at. */
#ifndef UNIT_HOST_WORLD_H
#define UNIT_HOST_WORLD_H

#include <criterion/criterion.h>

#include "base/time.h"
#include "server/host.h"
#include "store/memory.h"
#include "unit/batch_message.h"
#include "unit/counts_help.h"

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

/* store: NULL: one in memory. */
static inline struct host *make_host(struct host_config config, struct store *store, const struct host_io *io,
				     int64_t now)
{
	struct host *host;
	config.replica.self = self;
	config.replica.seed = 3;
	cr_assert(store || memory_open(&store) == 0);
	cr_assert(host_open(&host, &config, store, io, now, NULL, 0) == 0);
	return host;
}

static inline void await_serving(struct host *host, int64_t *now)
{
	for (int i = 0; i < 100 && host->replica.ready.phase != PHASE_SERVING; i++) {
		*now += 100 * MS;
		cr_assert(host_tick(host, *now) == 0 && host_flush(host, *now) == 0);
	}
	cr_assert(host->replica.ready.phase == PHASE_SERVING);
}

#endif
