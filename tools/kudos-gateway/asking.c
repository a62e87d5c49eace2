/* SPDX-License-Identifier: MIT */
#include "asking.h"

#include <stdlib.h>

#include "gateway.h"

bool asking_init(struct asking *a, struct exchange *x)
{
	x->work = a;
	if (a)
		a->exchange = x;
	else
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
	return a != NULL;
}

void asking_ask(struct asking *a)
{
	if (questions_add(&a->exchange->gateway->questions, &a->question) != KUDOS_OK)
		exchange_failed(a->exchange, KUDOS_NO_MEMORY, NULL);
}

void asking_end(struct exchange *x)
{
	struct asking *a = x->work;
	if (a)
		questions_withdraw(&x->gateway->questions, &a->question);
	free(a);
}
