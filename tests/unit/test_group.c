/* SPDX-License-Identifier: MIT */
#include "core/group.h"

#include <criterion/criterion.h>

#include "base/limits.h"
#include "unit/leak.h"
#include "wire/message.h"

/* A like under the number, which the group takes. */
static void add(struct group_commit *g, uint64_t seq)
{
	struct event event = {"k", 1, 1};
	struct batch_box *box = message_make_batch((struct session){7, 1}, seq, &event, 1);
	cr_assert(box && group_add_batch(g, box) == 0);
	batch_box_unref(box);
}

static struct record *make(struct group_commit *g, size_t first, size_t *taken)
{
	struct record *record = group_make_record(g, (struct position){{1}, 5}, first, taken);
	cr_assert(record && record->at.lsn == 5 && record->batch_count == *taken);
	return record;
}

Test(group, a_record_of_what_has_gathered)
{
	struct group_commit g;
	size_t taken;
	group_init(&g);
	cr_assert(!group_waits(&g));
	for (uint64_t seq = 1; seq <= 3; seq++)
		add(&g, seq);
	cr_assert(group_waits(&g) && g.pending_count == 3 && g.pending_bytes > 0);
	cr_assert(group_find(&g, (struct session){7, 1}, 2)->seq == 2);
	cr_assert(!group_find(&g, (struct session){7, 1}, 4) && !group_find(&g, (struct session){7, 2}, 2));
	struct record *record = make(&g, 1, &taken);
	cr_assert(taken == 2 && record->batches[0].seq == 2);
	cr_assert(group_append(&g, record) == 0 && g.count == 1);
	group_drop_pending(&g);
	cr_assert(!group_waits(&g) && g.pending_bytes == 0);
	group_deinit(&g); /* and the record with it */
	assert_no_leak();
}

Test(group, a_record_has_a_limit)
{
	struct group_commit g;
	size_t taken;
	group_init(&g);
	for (uint64_t seq = 1; seq <= LIMIT_RECORD_BATCHES + 1; seq++)
		add(&g, seq);
	record_unref(make(&g, 0, &taken));
	cr_assert(taken == LIMIT_RECORD_BATCHES);
	record_unref(make(&g, taken, &taken));
	cr_assert(taken == 1);
	group_deinit(&g);
	assert_no_leak();
}

Test(group, peers_records_wait_beside)
{
	struct group_commit g;
	size_t taken;
	group_init(&g);
	add(&g, 1);
	struct record *record = make(&g, 0, &taken);
	cr_assert(message_encode_record(record) == 0);
	group_drop_pending(&g);
	cr_assert(group_add_record(&g, record) == 0 && group_waits(&g));
	cr_assert(g.incoming_bytes == record->raw_size);
	group_drop_incoming(&g);
	cr_assert(!group_waits(&g) && g.incoming_bytes == 0);
	cr_assert(group_add_record(&g, record) == 0);
	record_unref(record);
	group_deinit(&g);
	assert_no_leak();
}
