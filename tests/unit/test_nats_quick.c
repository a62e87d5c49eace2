/* SPDX-License-Identifier: MIT */
/* A record that is sent to JetStream by the server's thread: what is answered, late, in pieces, wrong or not
 * at all. The NATS server is the test's own: a thread that speaks a few lines of the protocol, and says what
 * the test tells it to. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/nats_quick.h"

#define WAIT (20 * SECOND)

struct served {
	int listener, connection;
	pthread_t thread;
	bool answers_info; /* JetStream does */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t more;
	char sid[32];
	unsigned published; /* records so far … */
	char reply[128];    /* … where the answer to the last one goes … */
	char message[2048]; /* … and its headers and body */
};

/* ---- the NATS server ---- */

static void say(struct served *s, const char *text, size_t size)
{
	cr_assert(send(s->connection, text, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static size_t make_answer(const struct served *s, const char *reply, const char *text, char line[512])
{
	return (size_t)snprintf(line, 512, "MSG %s %s %zu\r\n%s\r\n", reply, s->sid, strlen(text), text);
}

static void answer_to(struct served *s, const char *reply, const char *text)
{
	char line[512];
	say(s, line, make_answer(s, reply, text, line));
}

static void read_whole(FILE *file, char *into, size_t size)
{
	cr_assert(fread(into, 1, size, file) == size);
}

/* A message: a question to JetStream, or a record. */
static void take_message(struct served *s, FILE *file, const char *line)
{
	char subject[128], reply[128], body[2048] = "";
	unsigned size = 0, headers;
	bool record = sscanf(line, "HPUB %127s %127s %u %u", subject, reply, &headers, &size) == 4;
	if (!record)
		cr_assert(sscanf(line, "PUB %127s %127s %u", subject, reply, &size) == 3, "%s", line);
	cr_assert(size + 2 < sizeof body);
	read_whole(file, body, size + 2);
	if (!record && s->answers_info)
		answer_to(s, reply, "{}");
	if (!record)
		return;
	pthread_mutex_lock(&s->mutex);
	s->published++;
	snprintf(s->reply, sizeof s->reply, "%s", reply);
	memcpy(s->message, body, sizeof body);
	pthread_cond_broadcast(&s->more);
	pthread_mutex_unlock(&s->mutex);
}

static void *serve(void *arg)
{
	struct served *s = arg;
	char line[4096];
	static const char info[] = "INFO {\"server_id\":\"T\",\"version\":\"2.9.10\",\"host\":\"127.0.0.1\","
				   "\"port\":1,\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n";
	s->connection = accept(s->listener, NULL, NULL);
	if (s->connection < 0)
		return NULL;
	say(s, info, sizeof info - 1);
	FILE *file = fdopen(dup(s->connection), "r");
	cr_assert(file);
	while (fgets(line, sizeof line, file)) {
		if (strncmp(line, "PING", 4) == 0)
			say(s, "PONG\r\n", 6);
		else if (strncmp(line, "SUB", 3) == 0)
			snprintf(s->sid, sizeof s->sid, "%.*s", (int)strcspn(strrchr(line, ' ') + 1, "\r"),
				 strrchr(line, ' ') + 1);
		else if (strncmp(line, "PUB", 3) == 0 || strncmp(line, "HPUB", 4) == 0)
			take_message(s, file, line);
	}
	fclose(file);
	return NULL;
}

/* ---- one connection to it ---- */

struct fixture {
	struct served served;
	struct nats_names names;
	struct nats_access access;
	struct quick *quick;
	int epoll_fd;
	uint64_t seq;
};

static void serve_nats(struct fixture *f, bool answers_info)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	char url[64];
	*f = (struct fixture){.served.answers_info = answers_info, .seq = 99};
	struct served *s = &f->served;
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(bind(s->listener, (struct sockaddr *)&address, size) == 0 && listen(s->listener, 1) == 0);
	cr_assert(getsockname(s->listener, (struct sockaddr *)&address, &size) == 0);
	snprintf(url, sizeof url, "nats://127.0.0.1:%d/S", ntohs(address.sin_port));
	cr_assert(!nats_names_parse(&f->names, url));
	f->access.names = &f->names;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->more, NULL);
	cr_assert(pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void cut(struct fixture *f)
{
	shutdown(f->served.connection, SHUT_RDWR);
}

static void setup(struct fixture *f)
{
	serve_nats(f, true);
	f->quick = quick_open(&f->access);
	f->epoll_fd = epoll_create1(0);
	cr_assert(f->quick && quick_watch(f->quick, f->epoll_fd, 5) == 0);
}

static void teardown(struct fixture *f)
{
	quick_close(f->quick);
	shutdown(f->served.listener, SHUT_RDWR);
	cut(f);
	pthread_join(f->served.thread, NULL);
	close(f->served.connection);
	close(f->served.listener);
	close(f->epoll_fd);
}

/* Sends the record behind the stream's sequence 4, and waits until it has come there. */
static void send_record(struct fixture *f, uint64_t lsn)
{
	const struct told_entry record = {
	    .node = {7}, .at = {{9}, lsn}, .data = (const uint8_t *)"likes", .size = 5};
	struct served *s = &f->served;
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT / SECOND;
	pthread_mutex_lock(&s->mutex);
	unsigned before = s->published;
	pthread_mutex_unlock(&s->mutex);
	quick_send(f->quick, &record, 4);
	pthread_mutex_lock(&s->mutex);
	while (s->published == before)
		cr_assert(pthread_cond_timedwait(&s->more, &s->mutex, &until) == 0);
	pthread_mutex_unlock(&s->mutex);
}

/* What has come by the time that the socket is ready. */
static int move(struct fixture *f)
{
	struct epoll_event event;
	cr_assert(epoll_wait(f->epoll_fd, &event, 1, (int)(WAIT / MS)) == 1 && event.data.u32 == 5);
	quick_move(f->quick);
	return quick_answer(f->quick, &f->seq);
}

static void answer(struct fixture *f, const char *text)
{
	answer_to(&f->served, f->served.reply, text);
}

Test(nats_quick, a_record_is_stored_when_the_stream_says_so_and_not_before)
{
	struct fixture f;
	char line[512];
	setup(&f);
	send_record(&f, 3);
	cr_assert(strstr(f.served.message, "Nats-Expected-Last-Subject-Sequence: 4\r\n"));
	cr_assert(strstr(f.served.message, "Nats-Msg-Id: 0000000000000009:3\r\n"));
	cr_assert(strstr(f.served.message, "\r\n\r\nlikes\r\n"));
	cr_assert(quick_answer(f.quick, &f.seq) == 1, "it has come there, and no more is known");
	quick_move(f.quick);
	cr_assert(quick_answer(f.quick, &f.seq) == 1 && f.seq == 99);
	size_t size = make_answer(&f.served, f.served.reply, "{\"stream\":\"S\",\"seq\":17}", line);
	say(&f.served, line, size - 4); /* as far as "17" */
	cr_assert(move(&f) == 1 && f.seq == 99, "half an answer");
	say(&f.served, line + size - 4, 4);
	cr_assert(move(&f) == 0 && f.seq == 17);
	send_record(&f, 4);
	cr_assert(quick_answer(f.quick, &f.seq) == 1, "the next one has an answer of its own");
	answer(&f, "{\"stream\":\"S\",\"seq\":18}");
	cr_assert(move(&f) == 0 && f.seq == 18 && quick_usable(f.quick));
	teardown(&f);
}

Test(nats_quick, what_was_refused_is_not_stored)
{
	const char *refusals[] = {
	    ("{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: 5\"},"
	     "\"stream\":\"S\",\"seq\":7}"),
	    "{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum bytes exceeded\"}}",
	    "",
	};
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct fixture f;
		setup(&f);
		send_record(&f, 3);
		answer(&f, refusals[i]);
		cr_assert(move(&f) == -EAGAIN && f.seq == 99);
		teardown(&f);
	}
}

/* What came too late for the record before says nothing of this one. */
Test(nats_quick, no_answer_is_taken_for_anothers)
{
	struct fixture f;
	char before[sizeof f.served.reply];
	setup(&f);
	send_record(&f, 3);
	memcpy(before, f.served.reply, sizeof before);
	send_record(&f, 4);
	answer_to(&f.served, before, "{\"stream\":\"S\",\"seq\":17}");
	cr_assert(move(&f) == -EAGAIN && f.seq == 99);
	teardown(&f);
}

Test(nats_quick, without_an_answer_it_is_in_doubt)
{
	struct fixture f;
	int said;
	setup(&f);
	send_record(&f, 3);
	int64_t since = clock_now();
	while ((said = quick_answer(f.quick, &f.seq)) == 1)
		cr_assert(clock_now() - since < WAIT && poll(NULL, 0, 10) == 0);
	cr_assert(said == -EAGAIN && clock_now() - since > SECOND && f.seq == 99);
	teardown(&f);
}

Test(nats_quick, with_the_connection_cut_it_is_in_doubt)
{
	struct fixture f;
	setup(&f);
	send_record(&f, 3);
	cut(&f);
	cr_assert(move(&f) == -EAGAIN && !quick_usable(f.quick) && f.seq == 99);
	teardown(&f);

	/* Also where it breaks before anything is sent. */
	setup(&f);
	cut(&f);
	struct epoll_event event;
	cr_assert(epoll_wait(f.epoll_fd, &event, 1, (int)(WAIT / MS)) == 1);
	quick_move(f.quick);
	const struct told_entry record = {.at = {{9}, 3}, .data = (const uint8_t *)"likes", .size = 5};
	quick_send(f.quick, &record, 4);
	cr_assert(quick_answer(f.quick, &f.seq) == -EAGAIN && !quick_usable(f.quick));
	teardown(&f);
}

/* One that is cut off from the others lets in whoever comes. */
Test(nats_quick, is_opened_only_where_jetstream_answers)
{
	struct fixture f;
	serve_nats(&f, false);
	cr_assert(quick_open(&f.access) == NULL);
	f.epoll_fd = -1;
	teardown(&f);
}
