/* SPDX-License-Identifier: MIT */
/* Each of a server's metrics moves when the thing happens, and only then. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "core/agree.h"
#include "core/proof.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"

struct fixture {
	struct host *host;
	int64_t now;
	struct bytes told; /* the last answer to "metrics" */
	struct store *store;
	struct store_ops ops; /* the store's, of which one may fail */
	int (*poll)(struct store *s);
};

static void keep_sent(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	enum message_type type;
	(void)id;
	(void)id_size;
	cr_assert(message_peek(data, size, &type) == 0);
	if (type != MESSAGE_MEASURED)
		return;
	bytes_clear(&f->told);
	bytes_append(&f->told, data, size);
}

/* Each look at it is 700 µs later. */
static int64_t ticking(void)
{
	static int64_t now;
	return now += 700;
}

static int fails(struct store *s)
{
	(void)s;
	return -EIO;
}

static void work(struct fixture *f, int64_t time)
{
	f->now += time;
	cr_assert(host_tick(f->host, f->now) == 0 && host_flush(f->host, f->now) == 0);
}

static void say(struct fixture *f, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	cr_assert(
	    host_receive_client(f->host, f->now, ROLE_CLIENT, (const uint8_t *)"c", 1, b.data, b.size) == 0);
	bytes_deinit(&b);
}

static void greet(struct fixture *f)
{
	say(f, &(struct message){.type = MESSAGE_HELLO, .hello = {.version = PROTOCOL_VERSION}});
}

static void setup(struct fixture *f)
{
	const struct host_io io = {.arg = f,
				   .send = keep_sent,
				   .publish = drop_published,
				   .members = drop_members,
				   .send_peer = drop_for_peer};
	*f = (struct fixture){.now = SECOND};
	cr_assert(memory_open(&f->store) == 0);
	f->ops = *f->store->ops;
	f->poll = f->ops.checkpoint_poll;
	f->store->ops = &f->ops;
	f->host = make_host((struct host_config){.clock = ticking}, f->store, &io, f->now);
	for (int i = 0; i < 100 && f->host->replica.ready.phase != PHASE_SERVING; i++)
		work(f, 100 * MS);
	cr_assert(f->host->replica.ready.phase == PHASE_SERVING);
	greet(f);
}

static void teardown(struct fixture *f)
{
	bytes_deinit(&f->told);
	host_close(&f->host);
	assert_no_leak();
}

/* A batch of so many likes, of session (77, 1). */
static void like(struct fixture *f, uint64_t seq, size_t events)
{
	static const struct event list[] = {{"k", 1, 1}, {"l", 1, 1}, {"m", 1, 1}, {"n", 1, 1}};
	const struct session session = {77, 1};
	struct bytes b = batch_message(session, proof_make(&self, session), seq, list, events);
	cr_assert(
	    host_receive_client(f->host, f->now, ROLE_CLIENT, (const uint8_t *)"c", 1, b.data, b.size) == 0);
	bytes_deinit(&b);
}

static bool is(struct text text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* What the server says of it now; 0 when it says nothing. */
static int64_t told(struct fixture *f, const char *name, const char *of)
{
	struct message m;
	int64_t value = 0;
	bool found = false;
	greet(f); /* idle ones are forgotten */
	f->told.size = 0;
	say(f, &(struct message){.type = MESSAGE_METRICS, .metrics = {9}});
	cr_assert(message_decode(f->told.data, f->told.size, &m) == 0 && m.measured.id == 9);
	for (size_t i = 0; i < m.measured.count; i++) {
		const struct metric *metric = &m.measured.metrics[i];
		found = found || is(metric->name, name);
		for (size_t j = 0; is(metric->name, name) && j < metric->count; j++) {
			if (is(metric->samples[j].of, of))
				value = metric->samples[j].value;
		}
	}
	message_deinit(&m);
	cr_assert(found, "there is no %s", name);
	return value;
}

Test(server_metrics, likes_and_batches_that_come_again)
{
	struct fixture f;
	setup(&f);
	cr_assert(told(&f, "events_total", "") == 0 && told(&f, "likes", "") == 0);
	like(&f, 1, 3);
	like(&f, 2, 1);
	cr_assert(told(&f, "duplicates_total", "client") == 0);
	like(&f, 1, 3); /* on its way */
	cr_assert(told(&f, "duplicates_total", "client") == 1);
	work(&f, 0);
	like(&f, 1, 3); /* counted */
	work(&f, 0);
	say(&f, &(struct message){.type = MESSAGE_SEEN, /* a question is none */
				  .seen = {{77, 1}, proof_make(&self, (struct session){77, 1}), 1}});
	cr_assert(told(&f, "duplicates_total", "client") == 2 && told(&f, "duplicates_total", "peer") == 0);
	cr_assert(told(&f, "events_total", "") == 4 && told(&f, "likes", "") == 4);
	cr_assert(told(&f, "batches_total", "") == 2 && told(&f, "records_total", "") == 1);
	cr_assert(told(&f, "keys", "") == 3 && told(&f, "sessions", "") == 1);
	cr_assert(told(&f, "clients", "") == 1 && told(&f, "messages_total", "batch") == 4);
	cr_assert(told(&f, "journal_written_bytes_total", "") > 20);
	teardown(&f);
}

Test(server_metrics, group_commits)
{
	struct fixture f;
	setup(&f);
	const int64_t before = told(&f, "commit_batches", "+Inf"), sum = told(&f, "commit_batches", "");
	const int64_t small = told(&f, "commit_batches", "2");
	for (uint64_t seq = 1; seq <= 3; seq++)
		like(&f, seq, 1);
	work(&f, 0);
	cr_assert(told(&f, "commit_batches", "+Inf") == before + 1);
	cr_assert(told(&f, "commit_batches", "") == sum + 3);
	cr_assert(told(&f, "commit_batches", "2") == small && told(&f, "commit_batches", "5") == before + 1);
	/* The clock is looked at twice a commit. */
	cr_assert(told(&f, "commit_duration_seconds", "0.0005") == 0);
	cr_assert(told(&f, "commit_duration_seconds", "0.001") == before + 1);
	cr_assert(told(&f, "commit_duration_seconds", "") == 700 * (before + 1));
	teardown(&f);
}

Test(server_metrics, what_is_refused_and_what_is_not_of_the_protocol)
{
	struct fixture f;
	setup(&f);
	like(&f, 1, 3);
	like(&f, 1, 2); /* one number, two contents */
	work(&f, 0);
	cr_assert(told(&f, "duplicates_total", "client") == 0);
	cr_assert(told(&f, "refused_total", "conflict") == 1 && told(&f, "refused_total", "busy") == 0);
	cr_assert(told(&f, "errors_total", "protocol") == 0 && told(&f, "malformed_total", "") == 0);
	say(&f, &(struct message){.type = MESSAGE_HEARD});
	cr_assert(told(&f, "errors_total", "protocol") == 1 && told(&f, "malformed_total", "") == 1);
	host_drain(f.host, f.now);
	like(&f, 2, 1);
	work(&f, 0);
	cr_assert(told(&f, "refused_total", "not-serving") == 1);
	teardown(&f);
}

Test(server_metrics, checkpoints_that_are_done_and_that_fail)
{
	struct fixture f;
	setup(&f);
	like(&f, 1, 1);
	work(&f, 0);
	f.ops.checkpoint_poll = fails;
	for (int i = 0; i < 4; i++)
		work(&f, 61 * SECOND);
	const int64_t failed = told(&f, "checkpoints_total", "failed");
	cr_assert(failed >= 2 && told(&f, "checkpoints_total", "done") == 0);
	f.ops.checkpoint_poll = f.poll;
	for (int i = 0; i < 4; i++)
		work(&f, 7 * SECOND);
	cr_assert(told(&f, "checkpoints_total", "failed") == failed);
	cr_assert(told(&f, "checkpoints_total", "done") == 1);
	teardown(&f);
}

Test(server_metrics, peers)
{
	struct fixture f;
	setup(&f);
	const struct member rows[] = {{.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"},
				      {.node = {30}, .origin = {31}, .since = 1, .name = "s3"},
				      {.node = {40}, .origin = {41}, .since = 1, .name = "s3"}};
	cr_assert(replica_members(&f.host->replica, f.now, (struct node){0}, rows, 3) == 0);
	work(&f, 0);
	like(&f, 1, 1);
	work(&f, 0);
	like(&f, 2, 1);
	work(&f, 0);
	cr_assert(told(&f, "peer_lag_records", "s2") == 2 && told(&f, "lag_records", "") == 0);
	/* Of two with one name each has its own. */
	cr_assert(told(&f, "peer_lag_records", "s3") == 0);
	cr_assert(told(&f, "peer_lag_records", "000000000000001e") == 2);
	cr_assert(told(&f, "peer_lag_records", "0000000000000028") == 2);
	struct peer *peer = peers_find(&f.host->replica.peers, rows[0].node);
	cr_assert(vector_set(&peer->vector, self.origin, 1) == 0);
	peer->heard = f.now - 3 * SECOND;
	cr_assert(told(&f, "peer_lag_records", "s2") == 1);
	cr_assert(told(&f, "peer_silence_seconds", "s2") == 3 * SECOND);
	teardown(&f);
}

/* What a start finds in the journal is not counted as done again. */
Test(server_metrics, replay)
{
	struct metrics m = {0};
	const struct replica_stats before = {.events = 5, .batches = 4, .records = 3, .duplicates = 2};
	const struct replica_stats after = {.events = 50, .batches = 40, .records = 30, .duplicates = 20};
	metrics_recovered(&m, &before, &after, 9);
	metrics_recovered(&m, &before, &before, 1); /* of a snapshot, later */
	cr_assert(m.replayed.events == 45 && m.replayed.batches == 36 && m.replayed.records == 27);
	cr_assert(m.replayed.duplicates == 18 && m.appended == 10);
}
