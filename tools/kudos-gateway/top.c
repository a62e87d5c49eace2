/* SPDX-License-Identifier: MIT */
/* GET /v1/top?n=20: the keys with the most likes. */
#include <stdlib.h>

#include "gateway.h"
#include "routes.h"

#define BY_DEFAULT 20

struct ranking {
	struct question question;
	struct exchange *exchange;
};

static void tell(struct question *q, int error, const struct kudos_ranked *top, size_t n)
{
	struct exchange *x = ((struct ranking *)q)->exchange;
	if (error) {
		exchange_failed(x, error, NULL);
		return;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("[s, I]", top[i].key, (json_int_t)top[i].count));
	exchange_answer_json(x, MHD_HTTP_OK, json_pack("{s:o}", "top", list));
}

void top_run(struct exchange *x)
{
	const char *text = exchange_parameter(x, "n");
	char *end = NULL;
	long n = text ? strtol(text, &end, 10) : BY_DEFAULT;
	if (n < 1 || n > KUDOS_TOP_MAX || (end && *end)) {
		exchange_problem(x, MHD_HTTP_BAD_REQUEST, "bad-request", "\"n\" is a number of keys, 1 to %d",
				 KUDOS_TOP_MAX);
		return;
	}
	struct ranking *r = calloc(1, sizeof *r);
	x->work = r;
	if (r) {
		r->exchange = x;
		r->question.top = (size_t)n;
		r->question.ranked = tell;
	}
	if (!r || questions_add(&x->gateway->questions, &r->question) != KUDOS_OK)
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
}

void top_end(struct exchange *x)
{
	struct ranking *r = x->work;
	if (r)
		questions_withdraw(&x->gateway->questions, &r->question);
	free(r);
}
