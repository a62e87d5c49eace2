/* SPDX-License-Identifier: MIT */
/* What a server tells its operator in the log, and how often at most. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "core/agree.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"
#include "store/stream.h"

struct fixture {
	struct host *host;
	int64_t now;
	FILE *log; /* instead of the standard error */
	int kept;
};

static void setup(struct fixture *f, size_t leaders, bool copied, bool accept_stale)
{
	struct store *store;
	const struct host_config config = {
	    .replica = {.self = self, .seed = 3}, .leaders = leaders, .accept_stale = accept_stale};
	const struct host_io io = {.arg = f,
				   .send = drop_sent,
				   .publish = drop_published,
				   .members = drop_members,
				   .send_leader = drop_for_leader,
				   .send_peer = drop_for_peer};
	*f = (struct fixture){.now = SECOND, .log = tmpfile(), .kept = dup(STDERR_FILENO)};
	log_init("s", false);
	cr_assert(f->log && dup2(fileno(f->log), STDERR_FILENO) >= 0);
	cr_assert(memory_open(&store) == 0);
	if (copied) { /* it held a node once */
		struct host *before;
		cr_assert(host_open(&before, &config, store, &io, f->now, NULL, 0) == 0);
		struct bytes meta = {0};
		cr_assert(host_meta(before, &meta) == 0);
		host_close(&before);
		cr_assert(memory_open(&store) == 0);
		cr_assert(store->ops->journal_append(store, ENTRY_META, (struct position){0}, meta.data,
						     meta.size) == 0);
		cr_assert(store->ops->journal_commit(store) == 0);
		bytes_deinit(&meta);
		store->report.copied = true;
	}
	cr_assert(host_open(&f->host, &config, store, &io, f->now, NULL, 0) == 0);
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	dup2(f->kept, STDERR_FILENO);
	close(f->kept);
	fclose(f->log);
	assert_no_leak();
}

/* How many lines with that text there were since the last time. */
static unsigned told(struct fixture *f, const char *text)
{
	char line[2048];
	unsigned n = 0;
	fflush(stderr);
	rewind(f->log);
	while (fgets(line, sizeof line, f->log))
		n += strstr(line, text) != NULL;
	cr_assert(ftruncate(fileno(f->log), 0) == 0);
	rewind(f->log);
	return n;
}

static void step(struct fixture *f, int64_t later)
{
	f->now += later;
	cr_assert(host_tick(f->host, f->now) == 0 && host_flush(f->host, f->now) == 0);
}

static void serve(struct fixture *f)
{
	await_serving(f->host, &f->now);
}

Test(host_log, malformed_messages_are_told_of_once_a_minute)
{
	struct fixture f;
	setup(&f, 0, false, false);
	for (int i = 0; i < 3; i++)
		port_malformed(&f.host->port, f.now, "somebody", KUDOS_PROTOCOL);
	cr_assert(told(&f, "ignored a message from somebody") == 1);
	f.now += 60 * SECOND - 1;
	port_malformed(&f.host->port, f.now, "somebody", KUDOS_PROTOCOL);
	cr_assert(told(&f, "ignored") == 0);
	f.now++;
	port_malformed(&f.host->port, f.now, "somebody", KUDOS_PROTOCOL);
	cr_assert(told(&f, "5 such messages so far") == 1);
	teardown(&f);
}

Test(host_log, it_tells_once_that_it_serves)
{
	struct fixture f;
	setup(&f, 0, false, false);
	cr_assert(told(&f, "serving: ") == 0);
	serve(&f);
	step(&f, SECOND);
	cr_assert(told(&f, "serving: 0 keys, 0 likes, 1 members") == 1);
	step(&f, 60 * SECOND);
	host_drain(f.host, f.now);
	step(&f, SECOND);
	cr_assert(told(&f, "serving") == 0);
	teardown(&f);
}

Test(host_log, a_program_that_has_not_named_itself_logs_nothing)
{
	struct fixture f;
	setup(&f, 0, false, false);
	log_init(NULL, false);
	serve(&f);
	cr_assert(told(&f, "") == 0);
	teardown(&f);
}

Test(host_log, it_tells_what_it_waits_for)
{
	struct fixture f;
	setup(&f, 1, false, false); /* whose leader is silent */
	cr_assert(host_flush(f.host, f.now) == 0);
	int64_t began = f.now;
	step(&f, 0);
	step(&f, 5 * SECOND - 1);
	cr_assert(told(&f, "not serving yet") == 0, "most have nothing to wait for by then");
	step(&f, 1);
	cr_assert(told(&f, "waiting for a majority of the leaders") == 1 && f.now == began + 5 * SECOND);
	for (int i = 0; i < 20; i++)
		step(&f, SECOND);
	cr_assert(told(&f, "not serving yet") == 0, "the same");
	const struct member row = {.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"};
	cr_assert(replica_members(&f.host->replica, f.now, (struct node){0}, &row, 1) == 0);
	cr_assert(host_flush(f.host, f.now) == 0);
	f.host->replica.ready.met_leader = f.host->replica.ready.heard_leader = true;
	for (int i = 0; i < 10; i++)
		step(&f, SECOND);
	cr_assert(told(&f, "not serving yet, waiting for a member that serves") == 1);
	cr_assert(replica_forget(&f.host->replica, row.node) == 0);
	while (f.host->replica.ready.phase != PHASE_SERVING) {
		f.host->tell_waiting = 1; /* it is due, also when it waits for nothing but its own commit */
		step(&f, 100 * MS);
	}
	cr_assert(told(&f, "waiting for (null)") == 0);
	for (int i = 0; i < 10; i++)
		step(&f, SECOND);
	cr_assert(told(&f, "not serving yet") == 0);
	const struct member other = {.node = {PEER + 1}, .origin = {22}, .since = 1, .name = "s3"};
	cr_assert(replica_members(&f.host->replica, f.now, (struct node){0}, &other, 1) == 0);
	for (int i = 0; i < 10; i++) {
		step(&f, SECOND);
		peers_find(&f.host->replica.peers, other.node)->heard = f.now; /* and confirms nothing */
	}
	cr_assert(replica_waits_for(&f.host->replica, f.now) && told(&f, "not serving yet") == 0, "it does");
	teardown(&f);
}

Test(host_log, two_contents_are_told_of_once_a_minute)
{
	struct fixture f;
	setup(&f, 0, false, false);
	serve(&f);
	step(&f, SECOND);
	cr_assert(told(&f, "has two contents") == 0);
	for (int i = 0; i < 3; i++) {
		f.host->replica.stats.contradicted++;
		step(&f, SECOND);
	}
	cr_assert(told(&f, "1 such batches so far") == 1);
	int64_t until = f.host->contradicted_after;
	step(&f, until - 1 - f.now);
	cr_assert(told(&f, "has two contents") == 0);
	step(&f, 1);
	cr_assert(told(&f, "3 such batches so far") == 1);
	step(&f, 100 * SECOND);
	cr_assert(told(&f, "has two contents") == 0, "there was no other");
	teardown(&f);
}

static const char *trouble_of(struct stream *s)
{
	return s->node.id ? "it is full" : NULL;
}

static int take_nothing(struct stream *s, told_fn fn, void *arg)
{
	(void)s, (void)fn, (void)arg;
	return 0;
}

static void look_at_nothing(struct stream *s)
{
	(void)s;
}

static int goes_on(struct store *s)
{
	return s->stream->origin.id ? 1 : 0;
}

Test(host_log, a_journal_that_does_not_take_is_told_of_and_why)
{
	static const struct stream_ops stream_ops = {
	    .trouble = trouble_of, .take = take_nothing, .look = look_at_nothing};
	struct fixture f;
	setup(&f, 0, false, false);
	serve(&f);
	struct store *s = f.host->store;
	const struct store_ops *real = s->ops;
	struct store_ops ops = *real;
	struct stream stream = {.ops = &stream_ops,
				.origin = {1}}; /* node: it knows why; origin: it stalls */
	ops.journal_poll = goes_on;
	s->ops = &ops;
	s->stream = &stream;
	f.host->replica.group.committing = true;
	step(&f, 20 * SECOND);
	cr_assert(
	    told(&f, "not acknowledged, new ones refused as busy: the shared journal does not answer") == 1);
	stream.node.id = 1;
	step(&f, 20 * SECOND);
	cr_assert(told(&f, "not acknowledged, new ones refused as busy: it is full") == 1);
	stream.origin.id = 0;
	step(&f, SECOND);
	cr_assert(told(&f, "the shared journal takes records again") == 1);
	s->ops = real;
	s->stream = NULL;
	teardown(&f);
}

Test(host_log, an_operators_word_is_told_of_once)
{
	struct fixture f;
	setup(&f, 0, false, false);
	serve(&f);
	for (int i = 0; i < 3; i++)
		cr_assert(drains_told(&f.host->drains, &f.host->replica, (struct text){"s", 1}));
	cr_assert(told(&f, "draining, as told by an operator") == 1);
	teardown(&f);
}

Test(host_log, a_copy_is_told_of)
{
	for (int stale = 0; stale < 2; stale++) {
		struct fixture f;
		setup(&f, 0, true, stale);
		cr_assert(told(&f, stale ? "it is taken as it is" : "serves once another member") == 1);
		cr_assert(f.host->replica.ready.doubtful == !stale);
		teardown(&f);
	}
}
