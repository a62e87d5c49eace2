/* SPDX-License-Identifier: MIT */
/* Who has said hello on a ROUTER: connections by identity and by a handle that is never used again, in the
 * order in which they were last heard. No socket in here. */
#ifndef NET_CONNECTIONS_H
#define NET_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/map.h"

struct connection {
	struct connection *older, *newer;
	int64_t heard;
	uint64_t handle;
	uint64_t hash[2];
	struct node node; /* a server's, as it said in its hello; 0: a client */
	bool takes_many;  /* it has sent one, so it knows them */
	uint8_t id_size;
	uint8_t id[]; /* the identity, id_size bytes */
};

struct connections {
	struct map by_id;     /* owned */
	struct map by_handle; /* (handle, 0) */
	struct connection *oldest, *newest;
	uint64_t last_handle;
	size_t clients; /* those whose node is 0 */
};

void connections_init(struct connections *s, uint64_t seed);
void connections_deinit(struct connections *s);

struct connection *connections_find(const struct connections *s, const uint8_t *id, size_t id_size);
struct connection *connections_at(const struct connections *s, uint64_t handle);
/* Finds or adds. NULL: out of memory. */
struct connection *connections_open(struct connections *s, int64_t now, const uint8_t *id, size_t id_size,
				    struct node node);
/* How many clients were heard at or after then: those that left without a word are not told apart from those
 * that have nothing to say. */
size_t connections_active(const struct connections *s, int64_t since);
void connections_touch(struct connections *s, struct connection *c, int64_t now); /* it was heard */
void connections_close(struct connections *s, struct connection *c);		  /* frees it */

#endif
