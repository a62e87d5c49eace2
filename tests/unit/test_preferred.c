/* SPDX-License-Identifier: MIT */
/* Records could be had, and take more bytes than all counts that there are: a snapshot is taken instead. */
#include <criterion/criterion.h>

#include "base/time.h"
#include "core/agree.h"
#include "core/repair.h"
#include "host_world.h"
#include "kudos.h"
#include "leak.h"
#include "server/peers.h"

#define RUN 21 /* the peer's */
#define LEAST 20000

struct fixture {
	struct host *host;
	struct peer *peer;
	struct log *log;
	int64_t now;
	unsigned fetches, snapshots; /* asked for */
	uint64_t id;
	size_t record_size;
};

static void note_peer(void *arg, struct node peer, const void *data, size_t size)
{
	struct fixture *f = arg;
	struct message m;
	cr_assert(peer.id == PEER && message_decode(data, size, &m) == 0);
	f->fetches += m.type == MESSAGE_FETCH;
	f->snapshots += m.type == MESSAGE_SNAPSHOT;
	if (m.type == MESSAGE_SNAPSHOT)
		f->id = m.snapshot.id;
	message_deinit(&m);
}

static void receive(struct fixture *f, const struct message *m)
{
	struct bytes out = {0};
	message_encode(m, &out);
	cr_assert(!bytes_failed(&out));
	cr_assert(peers_receive(f->host, f->now, (struct node){PEER}, out.data, out.size) == 0);
	cr_assert(host_flush(f->host, f->now) == 0);
	bytes_deinit(&out);
}

/* The answer to what was asked for: the one record `lsn`, of a like. */
static void receive_record(struct fixture *f, uint64_t lsn)
{
	static const struct event event = {"likes", 1, 5};
	struct batch_box *box = message_make_batch((struct session){RUN, 1}, lsn, &event, 1);
	struct record *record = record_new((struct position){{RUN}, lsn}, &box, 1);
	cr_assert(message_encode_record(record) == 0);
	f->record_size = record->raw_size;
	f->log->asked_from = lsn;
	f->log->asked_until = f->now + SECOND;
	const struct blob blob = {record->raw, record->raw_size};
	receive(f,
		&(struct message){.type = MESSAGE_RECORDS, .records = {{RUN}, lsn, (struct blob *)&blob, 1}});
	record_unref(record);
	batch_box_unref(box);
}

/* Catches up with a peer that serves. */
static void setup(struct fixture *f)
{
	const struct host_config config = {.snapshot_bytes = LEAST, .checkpoint_interval = 3600 * SECOND};
	const struct host_io io = {f, drop_sent, note_peer, drop_for_leader, drop_published, drop_members};
	const struct member row = {.node = {PEER}, .origin = {RUN}, .since = 1, .name = "s2"};
	*f = (struct fixture){.now = SECOND};
	f->host = make_host(config, NULL, &io, f->now);
	cr_assert(replica_members(&f->host->replica, f->now, (struct node){0}, &row, 1) == 0);
	cr_assert(host_tick(f->host, f->now) == 0 && host_flush(f->host, f->now) == 0);
	f->peer = peers_find(&f->host->replica.peers, (struct node){PEER});
	f->log = replica_log(&f->host->replica, (struct origin){RUN});
	cr_assert(f->peer && f->log && f->host->replica.ready.phase == PHASE_CATCHING_UP);
	f->peer->heard = f->now;
	f->peer->serving = true;
	f->snapshots = f->fetches = 0;
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	assert_no_leak();
}

static void miss(struct fixture *f, uint64_t known)
{
	f->log->known = known;
	cr_assert(vector_set(&f->peer->vector, (struct origin){RUN}, known) == 0);
}

Test(preferred, when_more_is_missing_than_exists)
{
	for (int more = 0; more <= 1; more++) {
		struct fixture f;
		setup(&f);
		receive_record(&f, 1);
		cr_assert(f.snapshots == 0, "nothing more is known");
		miss(&f, 2 + LEAST / (f.record_size + 1) + (uint64_t)more);
		receive(&f, &(struct message){.type = MESSAGE_RECORDS, .records = {{RUN}, 2, NULL, 0}});
		cr_assert(f.snapshots == 0, "an answer without any says nothing");
		receive_record(&f, 2);
		cr_assert(f.snapshots == (unsigned)more && f.host->snapshot.preferred == more);
		teardown(&f);
	}
}

/* By the bytes of those that came, 1000 each: of 16 MiB, or of all counts. */
Test(preferred, by_what_exists)
{
	static const uint8_t bytes[999] = {0};
	struct blob two[] = {{bytes, 999}, {bytes, 1000}};
	const struct message m = {.type = MESSAGE_RECORDS, .records = {{RUN}, 1, two, 2}};
	for (uint32_t i = 0; i < 2; i++) {
		struct fixture f;
		setup(&f);
		f.host->snapshot.bytes = 0;
		struct arena *arena = &f.host->replica.counts.arena;
		const uint32_t blocks = arena->block_count;
		arena->block_count = i * 4000;
		const uint64_t most = i ? 4000 * arena->block : 16 << 20;
		miss(&f, most / 2000 * 2 + 1);
		taking_weigh(&f.host->snapshot, &m);
		cr_assert(!f.host->snapshot.preferred);
		miss(&f, most / 2000 * 2 + 2);
		taking_weigh(&f.host->snapshot, &m);
		cr_assert(f.host->snapshot.preferred);
		arena->block_count = blocks;
		teardown(&f);
	}
}

Test(preferred, to_records_of_peers_that_are_missing)
{
	static const uint8_t bytes[100] = {0};
	struct blob one = {bytes, sizeof bytes};
	struct message m = {.type = MESSAGE_RECORDS, .records = {{RUN}, 1, &one, 1}};
	for (int i = 0; i < 3; i++) {
		struct fixture f;
		setup(&f);
		miss(&f, 1 << 20);
		f.host->replica.config.shared = i == 1; /* which needs no peer */
		m.records.origin.id = i == 2 ? RUN + 1 : RUN;
		taking_weigh(&f.host->snapshot, &m);
		cr_assert(f.host->snapshot.preferred == (i == 0), "%d", i);
		teardown(&f);
	}
}

Test(preferred, by_one_that_does_not_serve)
{
	struct fixture f;
	setup(&f);
	f.host->replica.ready.phase = PHASE_SERVING;
	miss(&f, 1 << 20);
	receive_record(&f, 1);
	cr_assert(f.snapshots == 0 && f.host->replica.ready.phase == PHASE_SERVING &&
		  !f.host->replica.snapshot.wanted);
	teardown(&f);
}

/* What was published meanwhile is records again. And with nobody to give one, records it is. */
Test(preferred, once_a_run)
{
	struct fixture f;
	setup(&f);
	f.peer->serving = false;
	miss(&f, 1 << 20);
	receive_record(&f, 1);
	cr_assert(f.snapshots == 0 && f.host->replica.snapshot.wanted);
	f.now += SECOND;
	f.peer->heard = f.now;
	cr_assert(replica_agree(&f.host->replica, f.now) == 0 && !f.host->replica.snapshot.wanted);
	f.peer->serving = true;
	receive_record(&f, 2);
	cr_assert(f.snapshots == 0 && !f.host->replica.snapshot.wanted);
	teardown(&f);
}

Test(preferred, no_records_are_asked_for_meanwhile)
{
	struct fixture f;
	setup(&f);
	miss(&f, 1 << 20);
	receive_record(&f, 1);
	cr_assert(f.snapshots == 1);
	f.fetches = 0;
	f.now += SECOND;
	f.peer->heard = f.now;
	cr_assert(replica_repair(&f.host->replica, f.now) == 0 && host_flush(f.host, f.now) == 0);
	cr_assert(f.fetches == 0);
	teardown(&f);
}

/* A giver that makes its checkpoint first is asked again soon, but not for ever. */
Test(preferred, a_busy_giver_is_asked_sooner)
{
	struct fixture f;
	setup(&f);
	miss(&f, 1 << 20);
	receive_record(&f, 1);
	const struct message busy = {.type = MESSAGE_ERROR, .error = {.id = f.id, .code = KUDOS_BUSY}};
	receive(&f, &(struct message){.type = MESSAGE_ERROR, .error = {.id = f.id + 1, .code = KUDOS_BUSY}});
	taking_busy(&f.host->snapshot, (struct node){PEER + 1}, f.id);
	cr_assert(f.host->snapshot.patience == 500 * MS, "that was of another");
	for (unsigned i = 0; i < 7; i++) {
		const int64_t wait = i < 5 ? (16 * MS) << i : 500 * MS;
		receive(&f, &busy);
		f.now += wait - 1;
		cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.snapshots == 1 + i);
		cr_assert(host_deadline(f.host) <= f.now + 1);
		f.now++;
		cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.snapshots == 2 + i, "%u", i);
	}
	cr_assert(f.host->snapshot.tries == 3, "the first five do not count");
	teardown(&f);
}

/* While one comes that was preferred: what it lacks is asked for when it is here. */
Test(preferred, no_records_are_asked_for_while_it_comes)
{
	for (int i = 0; i < 4; i++) {
		struct fixture f;
		setup(&f);
		f.host->snapshot.from = (struct node){i & 1 ? PEER : 0};
		f.host->snapshot.preferred = i & 2;
		cr_assert(actions_push(&f.host->replica.actions, (struct action){.type = ACTION_FETCH,
										 .node = {PEER},
										 .origin = {RUN},
										 .from = 1,
										 .to = 2}) == 0);
		cr_assert(host_flush(f.host, f.now) == 0 && f.fetches == (i != 3), "%d", i);
		teardown(&f);
	}
}

Test(preferred, a_part_that_does_not_come_is_looked_for_in_time)
{
	struct fixture f;
	setup(&f);
	cr_assert(host_deadline(f.host) < NEVER);
	const int64_t deadline = host_deadline(f.host);
	f.host->snapshot.asked = deadline - 10;
	f.host->snapshot.patience = 9;
	cr_assert(host_deadline(f.host) == deadline, "there is none");
	f.host->snapshot.from = (struct node){PEER};
	cr_assert(host_deadline(f.host) == deadline - 1);
	f.host->snapshot.patience = 11;
	cr_assert(host_deadline(f.host) == deadline, "there is more to do before");
	f.host->snapshot.from = (struct node){0};
	teardown(&f);
}
