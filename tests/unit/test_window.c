/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "core/window.h"
#include "unit/leak.h"

static struct kudos_result results[8];
static size_t told;

static void note(void *arg, const struct kudos_result *result)
{
	(void)arg;
	results[told++] = *result;
}

/* A batch of one event, numbered; its number. */
static uint64_t send(struct window *w)
{
	cr_assert(window_add(w, 5, "x", 1) == 0 && window_close(w));
	return window_number(w)->seq;
}

Test(window, finds_what_is_numbered_and_unresolved)
{
	struct window w;
	window_init(&w);
	cr_assert(send(&w) == 1 && send(&w) == 2);
	cr_assert(window_resolve(&w, 1, 2, 0, note, NULL) && told == 1 && results[0].last == 2);
	window_begin_session(&w);
	cr_assert(send(&w) == 1 && send(&w) == 2 && send(&w) == 3);
	cr_assert(window_add(&w, 5, "x", 1) == 0 && window_close(&w));
	cr_assert(window_find(&w, 1) && window_find(&w, 3)->seq == 3);
	cr_assert(!window_find(&w, 0) && !window_find(&w, 4), "closed, without a number yet");
	cr_assert(!window_find(&w, UINT64_MAX) && !window_find(&w, UINT64_MAX - 2) && !window_find(&w, 129));
	cr_assert(window_resolve(&w, 2, 2, 0, note, NULL) && !window_find(&w, 2) && window_find(&w, 3));
	cr_assert(!window_resolve(&w, 2, 2, 0, note, NULL) && told == 2, "once");
	cr_assert(window_resolve(&w, 1, 1, 0, note, NULL) && !window_find(&w, 1));
	uint64_t serial = 0;
	cr_assert(window_walk(&w, &serial)->seq == 3 && !window_walk(&w, &serial));
	cr_assert(window_resolve(&w, UINT64_MAX, UINT64_MAX, 0, note, NULL) == false);
	cr_assert(window_resolve(&w, 0, UINT64_MAX, 0, note, NULL) && told == 4 && results[3].first == 5);
	cr_assert(!window_in_flight(&w) && !window_idle(&w));
	window_deinit(&w);
	assert_no_leak();
}

/* The ring holds another where that one was, or one that has no number yet. */
Test(window, takes_no_other_for_one_that_is_done)
{
	struct window w;
	window_init(&w);
	for (uint64_t seq = 1; seq <= 2 * WINDOW_RING; seq++) {
		cr_assert(send(&w) == seq && window_find(&w, seq));
		cr_assert(!window_find(&w, seq - WINDOW_RING));
		told = 0;
		cr_assert(window_resolve(&w, seq, seq, 0, note, NULL) && told == 1);
	}
	cr_assert(window_add(&w, 5, "x", 1) == 0 && window_close(&w));
	cr_assert(!window_resolve(&w, 2 * WINDOW_RING + 1, 2 * WINDOW_RING + 1, 0, note, NULL) && told == 1);
	cr_assert(window_number(&w)->seq == 2 * WINDOW_RING + 1);
	window_deinit(&w);
	assert_no_leak();
}

Test(window, closes_what_is_open_while_there_is_room)
{
	struct window w;
	window_init(&w);
	cr_assert(!window_full(&w) && !window_close(&w));
	cr_assert(window_add(&w, 5, "x", 1) == 0 && !window_full(&w) && w.open->opened_at == 5);
	cr_assert(window_add(&w, 9, "x", 1) == 0 && w.open->opened_at == 5 && w.open->first == 1);
	cr_assert(window_close(&w) && !window_close(&w));
	for (int i = 1; i < LIMIT_IN_FLIGHT; i++)
		cr_assert(window_add(&w, 5, "x", 1) == 0 && window_close(&w));
	for (int i = 0; i < LIMIT_BATCH_EVENTS; i++)
		cr_assert(window_full(&w) == false && window_add(&w, 5, "x", 1) == 0);
	cr_assert(window_full(&w) && !window_close(&w) && window_add(&w, 5, "x", 1) == KUDOS_BUSY);
	window_deinit(&w);
	assert_no_leak();
}
