/* SPDX-License-Identifier: MIT */
/* Who does not get on. visits_add() and visits_of() ask libmicrohttpd; the rest is here. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/leak.h"
#include "visits.h"

struct fixture {
	struct visits visits;
	struct visit *visit[3];
	int other[3];
};

static void start(struct fixture *f)
{
	*f = (struct fixture){.visits.patience = 100};
	for (int i = 0; i < 3; i++) {
		int pair[2];
		cr_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		f->other[i] = pair[1];
		f->visit[i] = calloc(1, sizeof *f->visit[i]);
		f->visit[i]->fd = pair[0];
		f->visits.count++;
	}
}

static void stop(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		close(f->visit[i]->fd);
		close(f->other[i]);
		visits_remove(&f->visits, f->visit[i]);
	}
	cr_assert(f->visits.count == 0 && !f->visits.first && !f->visits.last);
	assert_no_leak();
}

static bool ended(const struct fixture *f, int i)
{
	char byte;
	return recv(f->other[i], &byte, 1, MSG_DONTWAIT) == 0;
}

Test(visits, who_takes_too_long_is_ended)
{
	struct fixture f;
	start(&f);
	cr_assert(visits_deadline(&f.visits) == INT64_MAX);
	for (int i = 0; i < 3; i++)
		visits_due(&f.visits, f.visit[i], 10 * i);
	visits_due(&f.visits, f.visit[0], 50); /* it has got on */
	cr_assert(visits_deadline(&f.visits) == 110);
	visits_expire(&f.visits, 109);
	cr_assert(f.visits.ended == 0);
	visits_expire(&f.visits, 110);
	cr_assert(f.visits.ended == 1 && ended(&f, 1) && !ended(&f, 0) && !ended(&f, 2));
	visits_expire(&f.visits, 1000);
	cr_assert(f.visits.ended == 3 && ended(&f, 0) && ended(&f, 2));
	cr_assert(visits_deadline(&f.visits) == INT64_MAX, "each once");
	stop(&f);
}

Test(visits, while_it_is_our_turn_nobody_is)
{
	struct fixture f;
	start(&f);
	for (int i = 0; i < 3; i++)
		visits_due(&f.visits, f.visit[i], 0);
	visits_rest(&f.visits, f.visit[1]);
	visits_rest(&f.visits, f.visit[1]);
	visits_rest(&f.visits, NULL);
	visits_due(&f.visits, NULL, 0);
	visits_expire(&f.visits, 1000);
	cr_assert(f.visits.ended == 2 && !ended(&f, 1));
	visits_due(&f.visits, f.visit[1], 1000);
	cr_assert(visits_deadline(&f.visits) == 1100);
	stop(&f);
}
