/* SPDX-License-Identifier: MIT */
/* One server's rules over a journal that others write to as well. */
#ifndef UNIT_SHARED_WORLD_H
#define UNIT_SHARED_WORLD_H

#include "core/shared.h"
#include "replica_world.h"

#define OTHER ((struct node){PEER})

static inline struct position at(uint64_t lsn)
{
	return (struct position){{2}, lsn};
}

/* It has not been looked at. */
static inline void start_shared(struct fixture *f)
{
	start_over(f, true);
	forget_trace(f);
}

static inline void look(struct fixture *f)
{
	cr_assert(replica_looked(&f->r, f->now, 0) == 0);
	forget_trace(f);
}

static inline void serve_beside_peer(struct fixture *f)
{
	start_shared(f);
	look(f);
	tick(f, 60 * MS);
	forget_trace(f);
	cr_assert(f->r.ready.phase == PHASE_SERVING);
	add_peer(f);
}

static inline void hold(struct fixture *f, uint64_t lsn)
{
	cr_assert(replica_held(&f->r, f->now, OTHER, at(lsn)) == 0);
}

static inline bool takes_strangers(struct fixture *f)
{
	cr_assert(replica_held(&f->r, f->now, (struct node){77}, (struct position){{7}, 1}) == 0);
	return logs_find(&f->r.logs, (struct origin){7}) != NULL;
}

#endif
