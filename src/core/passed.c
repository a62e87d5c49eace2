/* SPDX-License-Identifier: MIT */
#include "core/passed.h"

#include "base/time.h"
#include "kudos.h"

#define SEND_INTERVAL (500 * MS)
#define PATIENCE (3 * SECOND) /* less than whoever asked has */

void passed_init(struct passed *p, uint64_t seed)
{
	*p = (struct passed){.last_id = seed};
}

int passed_add(struct passed *p, int64_t now, struct node to, struct origin run, uint64_t client,
	       uint64_t client_id)
{
	struct passed_one *free = NULL;
	for (unsigned i = 0; i < LIMIT_PASSED; i++) {
		struct passed_one *one = &p->list[i];
		if (one->id == 0)
			free = one;
		else if (one->client == client && one->client_id == client_id)
			return 0;
	}
	if (!free)
		return KUDOS_BUSY;
	p->last_id += p->last_id == UINT64_MAX ? 2 : 1; /* never 0 */
	*free = (struct passed_one){to, run, p->last_id, client, client_id, now, now + PATIENCE};
	return 0;
}

bool passed_take(struct passed *p, struct node from, uint64_t id, struct passed_one *one)
{
	for (unsigned i = 0; i < LIMIT_PASSED; i++) {
		struct passed_one *here = &p->list[i];
		if (here->id == 0 || here->id != id || !node_equal(here->to, from))
			continue;
		*one = *here;
		here->id = 0;
		return true;
	}
	return false;
}

enum passed_due passed_next(struct passed *p, int64_t now, struct passed_one *one)
{
	for (unsigned i = 0; i < LIMIT_PASSED; i++) {
		struct passed_one *here = &p->list[i];
		if (here->id == 0 || (now < here->again && now < here->until))
			continue;
		*one = *here;
		here->again = now + SEND_INTERVAL;
		if (now < here->until)
			return PASSED_SEND;
		here->id = 0;
		return PASSED_OVER;
	}
	return PASSED_NONE;
}

int64_t passed_deadline(const struct passed *p)
{
	int64_t first = NEVER;
	for (unsigned i = 0; i < LIMIT_PASSED; i++) {
		const struct passed_one *one = &p->list[i];
		if (one->id == 0)
			continue;
		first = earlier(first, earlier(one->again, one->until));
	}
	return first;
}
