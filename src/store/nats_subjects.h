/* SPDX-License-Identifier: MIT */
/* The runs that have records in the stream: each run's last one, found anew only where something was written,
 * and the deletion of what went before it. Of one thread, which waits for the answers. */
#ifndef STORE_NATS_SUBJECTS_H
#define STORE_NATS_SUBJECTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/map.h"
#include "store/nats_connect.h"
#include "store/nats_items.h"
#include "store/nats_names.h"

struct nats_subjects {
	const struct nats_names *names;
	struct map known; /* (origin, 0) → struct known, owned */
	uint64_t deleted; /* messages of the stream, when the last look began */
	uint64_t bytes;	  /* of the stream */
	int64_t purge_after;
};

void nats_subjects_init(struct nats_subjects *s, const struct nats_names *names); /* by reference */
void nats_subjects_deinit(struct nats_subjects *s);
/* 0: found is what a look tells (store/stream.h). Else negative, and it is to be done anew. quit ends it. */
int nats_subjects_look(struct nats_subjects *s, struct nats_link *link, const atomic_bool *quit,
		       struct items *found);
/* Writes an earlier run's last record, if it is the next there. Whether that was done, the next look tells.
 */
void nats_subjects_end(struct nats_subjects *s, struct nats_link *link, const struct told_entry *last);
/* Deletes what the stream numbered up to `number`, each run's last record excepted. Nothing rests on whether
 * it is done, or when. */
void nats_subjects_purge(struct nats_subjects *s, struct nats_link *link, const atomic_bool *quit,
			 uint64_t number);

#endif
