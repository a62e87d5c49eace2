/* SPDX-License-Identifier: MIT */
#include "client/question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/agent.h"

int question_ask(struct agent *a, int64_t now, enum message_type type, struct subject about, uint64_t *id)
{
	const struct text *texts = about.texts;
	size_t bytes = about.after_count * sizeof *about.after, count = about.count;
	for (size_t i = 0; i < count; i++)
		bytes += texts[i].size;
	struct question *r = calloc(1, sizeof *r + count * sizeof *texts + bytes + 1);
	if (!r)
		return -ENOMEM;
	r->after = (struct position *)&r->texts[count];
	r->after_count = about.after_count;
	char *to = (char *)&r->after[r->after_count];
	if (r->after_count)
		memcpy(r->after, about.after, r->after_count * sizeof *r->after);
	for (size_t i = 0; i < count; i++) {
		memcpy(to, texts[i].data, texts[i].size);
		r->texts[i] = (struct text){to, texts[i].size};
		to += texts[i].size;
	}
	r->text_count = count;
	r->n = about.n;
	r->internal = about.internal;
	r->type = type;
	r->asked_at = now;
	r->base.id = ++a->last_id;
	r->base.of_leader =
	    type != MESSAGE_COUNT && type != MESSAGE_WATCH && type != MESSAGE_TOP && !a->courier.direct;
	int error = courier_ask(&a->courier, &r->base);
	if (error)
		free(r);
	else
		*id = r->base.id;
	return error;
}

struct question *question_take(struct agent *a, uint64_t id, bool answered)
{
	struct courier_request *r = courier_take_request(&a->courier, id, answered);
	return (struct question *)r;
}
