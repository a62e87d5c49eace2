/* SPDX-License-Identifier: MIT */
/* How a snapshot is given: to how many, in which portions, and for how long. */
#include "serve_world.h"

static void ask(struct fixture *f, uint32_t who, uint64_t id, uint64_t index)
{
	say(f, who, &(struct message){.type = MESSAGE_SNAPSHOT, .snapshot = {.id = id, .index = index}});
}

static bool given(const struct fixture *f, uint64_t id, uint64_t index)
{
	return f->m.type == MESSAGE_PART && f->m.part.id == id && f->m.part.index == index;
}

/* A server with a checkpoint of 80 blocks, and those who may ask for it. */
static void start(struct fixture *f)
{
	char key[LIMIT_KEY + 1];
	setup(f);
	for (int i = 0; i < 5000; i++)
		cr_assert(counts_add(&f->host->replica.counts, key,
				     (size_t)snprintf(key, sizeof key, "%0120d", i), 1) == 0);
	for (uint32_t who = 1; who <= LIMIT_SNAPSHOTS + 1; who++)
		hello(f, who, 100 + who);
	f->host->checkpoint.wanted = true;
	for (int i = 0; i < 10; i++)
		cr_assert(checkpointing_step(&f->host->checkpoint, f->now, taking_now(&f->host->snapshot)) ==
			  0);
	cr_assert(f->host->checkpoint.exists);
}

Test(giving, in_portions_that_fit_into_a_message)
{
	struct fixture f;
	start(&f);
	size_t blocks = 0;
	bool last = false;
	for (uint64_t index = 0; !last; index++) {
		size_t bytes = 0;
		ask(&f, 1, 5, index);
		cr_assert(given(&f, 5, index));
		for (size_t i = 0; i < f.m.part.pair_count; i++) {
			blocks += f.m.part.pairs[2 * i].data[0] == 'b';
			bytes += f.m.part.pairs[2 * i].size + f.m.part.pairs[2 * i + 1].size;
		}
		last = f.m.part.last;
		cr_assert(last ? bytes > 0 : bytes >= 262144, "%zu", bytes);
		cr_assert(bytes < 262144 + 65536 && f.raw.size < LIMIT_MESSAGE);
	}
	cr_assert(blocks == f.host->replica.counts.arena.block_count && blocks > 64);
	teardown(&f);
}

Test(giving, to_so_many_at_once_each_by_itself)
{
	struct fixture f;
	start(&f);
	for (uint32_t who = 1; who <= LIMIT_SNAPSHOTS; who++) {
		ask(&f, who, 5, 0); /* all call it the same */
		cr_assert(given(&f, 5, 0) && f.to == who);
	}
	ask(&f, 1, 5, 1);
	cr_assert(given(&f, 5, 1));
	ask(&f, 2, 5, 0);
	cr_assert(given(&f, 5, 0), "another's reading is at its own place");
	ask(&f, LIMIT_SNAPSHOTS + 1, 5, 0);
	cr_assert(told(&f, KUDOS_BUSY));
	ask(&f, 3, 6, 0); /* who begins anew makes room for itself */
	cr_assert(given(&f, 6, 0));
	teardown(&f);
}

Test(giving, as_long_as_it_is_asked_for)
{
	struct fixture f;
	start(&f);
	ask(&f, 1, 5, 0);
	int64_t until = f.now + 10 * SECOND;
	like(&f, 1, 1); /* the checkpoint is not the newest state any more … */
	flush(&f);
	f.now = until;
	giving_expire(&f.host->giving, f.host->store, f.now);
	ask(&f, 1, 5, 1);
	cr_assert(given(&f, 5, 1), "… and is read to its end");
	until = f.now + 10 * SECOND;
	giving_expire(&f.host->giving, f.host->store, until);
	cr_assert(f.host->giving.list[0].cursor != NULL);
	giving_expire(&f.host->giving, f.host->store, until + 1);
	cr_assert(f.host->giving.list[0].cursor == NULL);
	f.now = until;
	ask(&f, 1, 5, 2);
	cr_assert(told(&f, KUDOS_BUSY));
	teardown(&f);
}
