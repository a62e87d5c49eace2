/* SPDX-License-Identifier: MIT */
/* GET /v1/top?n=20: the keys with the most likes. */
#include <stdlib.h>

#include "asking.h"
#include "gateway.h"
#include "routes.h"

#define BY_DEFAULT 20

static void tell(struct question *q, int error, const struct kudos_ranked *top, size_t n)
{
	struct exchange *x = asking_exchange(q);
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
	struct asking *a = calloc(1, sizeof *a);
	if (!asking_init(a, x))
		return;
	a->question.top = (size_t)n;
	a->question.ranked = tell;
	asking_ask(a);
}
