/* SPDX-License-Identifier: MIT */
/* Sessions that callers keep: opened, presented with a batch, closed. Here are those requests that wait for
 * the cluster's answer. */
#ifndef GATEWAY_SESSIONS_H
#define GATEWAY_SESSIONS_H

#include <stdint.h>

#include "kudos.h"

struct sessions {
	kudos *handle;
	void *waiting;		  /* tsearch(3)'s tree, by the library's id */
	uint64_t opened, batches; /* since the start */
};

void sessions_init(struct sessions *s, kudos *handle);
void sessions_opened(struct sessions *s, uint64_t id, int error, const char *session);
void sessions_put(struct sessions *s, uint64_t id, int error, const char *token);

#endif
