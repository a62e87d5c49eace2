/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "base/time.h"
#include "core/sessions.h"
#include "unit/leak.h"

static struct session session(uint64_t number)
{
	return (struct session){0xfeed, number};
}

Test(sessions, are_made_once_and_found_again)
{
	struct sessions s;
	sessions_init(&s, 1);
	cr_assert_null(sessions_find(&s, session(1)));
	struct seen *seen = sessions_get(&s, session(1), 42);
	cr_assert(seen && session_equal(seen->session, session(1)));
	cr_assert(seen->active == 42 && !seen_closed(seen) && seen->applied.count == 0);
	cr_assert(sessions_get(&s, session(1), 43) == seen && seen->active == 42);
	cr_assert(sessions_find(&s, session(1)) == seen);
	cr_assert_null(sessions_find(&s, (struct session){0xbeef, 1}), "another issuer's number 1");
	sessions_deinit(&s);
	assert_no_leak();
}

Test(sessions, forgotten_ones_lose_their_entry_and_stay_refused)
{
	struct sessions s;
	sessions_init(&s, 1);
	struct seen *seen = sessions_get(&s, session(7), 0);
	cr_assert(intervals_add(&seen->applied, 1, 3) == 0);
	cr_assert(intervals_add(&seen->pending, 5, 5) == 0);
	cr_assert(!sessions_forgotten(&s, session(7)));
	cr_assert(sessions_forget(&s, session(7)) == 0);
	cr_assert(sessions_forgotten(&s, session(7)) && sessions_find(&s, session(7)) == NULL);
	cr_assert(!sessions_forgotten(&s, session(6)) && !sessions_forgotten(&s, session(8)));
	cr_assert(!sessions_forgotten(&s, (struct session){0xbeef, 7}));
	cr_assert(sessions_forget(&s, session(8)) == 0, "one that was never seen");
	cr_assert(sessions_forgotten(&s, session(8)));
	sessions_deinit(&s);
	assert_no_leak();
}

Test(sessions, a_hundred_thousand_that_came_and_went_are_one_interval)
{
	struct sessions s;
	sessions_init(&s, 1);
	for (uint64_t number = 1; number <= 100000; number++) {
		cr_assert(sessions_get(&s, session(number), 0) != NULL);
		if (number > 10)
			cr_assert(sessions_forget(&s, session(number - 10)) == 0);
	}
	cr_assert(s.seen.count == 10 && s.seen.capacity <= 64, "%zu slots", s.seen.capacity);
	cr_assert(s.issuers.count == 1);
	const struct issuer *issuer = map_get(&s.issuers, 0xfeed, 0);
	cr_assert(issuer->forgotten.count == 1 && issuer->forgotten.at[0].hi == 99990);
	sessions_deinit(&s);
	assert_no_leak();
}

Test(sessions, ranges_come_back_from_a_checkpoint)
{
	struct sessions s;
	sessions_init(&s, 1);
	cr_assert(sessions_forget_range(&s, 0xfeed, 1, 50) == 0);
	cr_assert(sessions_forget_range(&s, 0xfeed, 60, 70) == 0);
	cr_assert(sessions_forgotten(&s, session(50)) && !sessions_forgotten(&s, session(51)));
	cr_assert(sessions_forgotten(&s, session(60)));
	sessions_deinit(&s);
	assert_no_leak();
}

Test(sessions, remembers_what_the_latest_batches_held)
{
	struct seen seen = {0};
	cr_assert(!seen_contradicts(&seen, 1, "a", 1), "nothing is known");
	seen_note_content(&seen, 1, "a", 1);
	cr_assert(!seen_contradicts(&seen, 1, "a", 1) && seen_contradicts(&seen, 1, "b", 1));
	cr_assert(!seen_contradicts(&seen, 1 + SEEN_CONTENTS, "b", 1));
	cr_assert(!seen_contradicts(&seen, 1 + (UINT64_C(1) << 32), "b", 1), "another number, however far");
	seen_note_content(&seen, 1 + SEEN_CONTENTS, "b", 1);
	cr_assert(!seen_contradicts(&seen, 1, "b", 1), "forgotten");
}

Test(sessions, those_that_last_are_counted)
{
	struct sessions s;
	const uint64_t lasting = UINT64_C(1) << 61 | 5;
	sessions_init(&s, 1);
	struct seen *usual = sessions_get(&s, (struct session){5, 1}, 0);
	cr_assert(s.lasting == 0);
	struct seen *one = sessions_get(&s, (struct session){lasting, 1}, 0);
	cr_assert(s.lasting == 1 && sessions_get(&s, one->session, 0) == one && s.lasting == 1);
	sessions_drop(&s, usual);
	cr_assert(s.lasting == 1);
	sessions_drop(&s, one);
	cr_assert(s.lasting == 0);
	sessions_deinit(&s);
}

Test(sessions, what_lapsed_unused_takes_nothing)
{
	struct sessions s;
	const struct session three = {5, 3}, four = {5, 4}, five = {5, 5};
	sessions_init(&s, 1);
	struct seen *used = sessions_get(&s, three, 0), *empty = sessions_get(&s, four, 0);
	cr_assert(intervals_add(&used->applied, 1, 1) == 0);
	cr_assert(!sessions_lapsed(&s, four, NULL) && !sessions_lapsed(&s, (struct session){9, 1}, NULL));
	cr_assert(sessions_lapse(&s, four, (struct position){{1}, 7}) == 0 && s.lapsing == 1);
	cr_assert(sessions_lapsed(&s, four, empty) && sessions_lapsed(&s, four, NULL));
	cr_assert(!sessions_lapsed(&s, three, used) && !sessions_lapsed(&s, five, NULL));
	cr_assert(sessions_lapse(&s, five, (struct position){{1}, 8}) == 0 && s.lapsing == 1, "still open");
	cr_assert(sessions_lapse(&s, four, (struct position){{1}, 9}) == 0 && s.lapsing == 1, "no news");
	struct issuer *issuer = map_get(&s.issuers, 5, 0);
	issuer->lapse.at.lsn = 0;
	cr_assert(sessions_lapse(&s, four, (struct position){{1}, 9}) == 0 && s.lapsing == 1);
	cr_assert(sessions_lapse(&s, (struct session){5, 6}, (struct position){{1}, 9}) == 0 &&
		  s.lapsing == 2);
	cr_assert(sessions_forget_range(&s, 5, 1, 5) == 0);
	cr_assert(!sessions_forgotten(&s, three) && sessions_forgotten(&s, five), "what was used goes on");
	sessions_deinit(&s);
}

/* One peer, whose newest sample that was reached here has that of origin 1. */
Test(sessions, what_all_agree_on_is_forgotten_once_nothing_of_it_is_on_its_way)
{
	struct sessions s;
	struct peer peer = {0};
	const struct peers peers = {&peer, 1};
	sessions_init(&s, 1);
	struct seen *seen = sessions_get(&s, session(7), 0);
	cr_assert(sessions_get(&s, session(8), 0) && sessions_get(&s, session(9), 0));
	cr_assert(sessions_close(&s, seen, (struct position){{1}, 3}) == 0);
	cr_assert(sessions_close(&s, sessions_find(&s, session(8)), (struct position){{1}, 4}) == 0);
	cr_assert(sessions_lapse(&s, (struct session){5, 2}, (struct position){{1}, 3}) == 0);
	cr_assert(intervals_add(&seen->pending, 1, 1) == 0);
	cr_assert(sessions_settle(&s, &peers) == 0 && s.closing_count == 2 && s.lapsing == 1);
	cr_assert(vector_set(&peer.covered, (struct origin){1}, 3) == 0);
	cr_assert(sessions_settle(&s, &peers) == 0 && s.closing_count == 2, "a batch is on its way");
	cr_assert(s.lapsing == 0 && sessions_forgotten(&s, (struct session){5, 1}) &&
		  sessions_forgotten(&s, (struct session){5, 2}) &&
		  !sessions_forgotten(&s, (struct session){5, 3}));
	cr_assert(intervals_remove(&seen->pending, 1) == 0 && sessions_settle(&s, &peers) == 0);
	cr_assert(sessions_forgotten(&s, session(7)) && s.closing_count == 1 &&
		  session_equal(s.closing[0], session(8)));
	cr_assert(vector_set(&peer.covered, (struct origin){1}, 4) == 0 && sessions_settle(&s, &peers) == 0);
	cr_assert(s.closing_count == 0 && sessions_forgotten(&s, session(8)) &&
		  sessions_find(&s, session(9)));
	vector_deinit(&peer.covered);
	sessions_deinit(&s);
	assert_no_leak();
}

static uint64_t next_idle(const struct sessions *s, int64_t now)
{
	struct session found = {0};
	size_t at = 0;
	return sessions_next_idle(s, &at, now, SECOND, &found) ? found.number : 0;
}

Test(sessions, are_idle_a_minute_later_where_another_took_the_last_batch)
{
	struct sessions s;
	sessions_init(&s, 1);
	struct seen *seen = sessions_get(&s, session(7), 10 * SECOND);
	seen->accepted_here = true;
	cr_assert(next_idle(&s, 11 * SECOND - 1) == 0 && next_idle(&s, 11 * SECOND) == 7);
	seen->accepted_here = false;
	cr_assert(next_idle(&s, 71 * SECOND - 1) == 0 && next_idle(&s, 71 * SECOND) == 7);
	cr_assert(intervals_add(&seen->pending, 1, 1) == 0 && next_idle(&s, 71 * SECOND) == 0);
	cr_assert(intervals_remove(&seen->pending, 1) == 0 && next_idle(&s, 71 * SECOND) == 7);
	seen->closed.lsn = 1;
	cr_assert(next_idle(&s, 71 * SECOND) == 0);
	sessions_deinit(&s);
}

Test(sessions, numbers_lapse_after_twice_that_time)
{
	struct sessions s;
	struct session to;
	size_t at = 0;
	sessions_init(&s, 1);
	cr_assert(sessions_get(&s, session(7), 0) && !sessions_next_unused(&s, &at, SECOND, SECOND, &to));
	at = 0;
	cr_assert(!sessions_next_unused(&s, &at, 3 * SECOND - 1, SECOND, &to));
	at = 0;
	cr_assert(sessions_next_unused(&s, &at, 3 * SECOND, SECOND, &to) && session_equal(to, session(7)));
	cr_assert(!sessions_next_unused(&s, &at, 3 * SECOND, SECOND, &to), "that was the only issuer");
	sessions_deinit(&s);
}
