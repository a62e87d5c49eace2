/* SPDX-License-Identifier: MIT */
/* Readers of one key's stream at a gateway, while it is liked 1,000 times a second.
 *
 *	sse-readers LEADER PORT READERS LISTENING SECONDS PID
 *
 * LISTENING of them, spread among the others, read what they are told; what is told to the others arrives and
 *stays in the kernel, as it would in another machine's. Each told count is a sample: the time since the
 *oldest like in it that this reader had not been told of was acknowledged. Prints samples_print()'s line as
 *"told", and the processor time that it and the gateway, whose PID is given, took for each event; then the
 *same of a bare loop of sends to as many readers (sse_floor.h). */
#include <kudos.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "samples.h"
#include "sse_floor.h"

#define KEY "sse"
#define RATE 1000 /* likes a second */
#define MOST 1000000

static _Atomic int64_t acked_at[MOST + 1]; /* of the like with which the count was that */
static atomic_bool over;

struct reader {
	int fd;
	int64_t told; /* -1: nothing yet */
};

static void on_result(void *arg, const struct kudos_result *result)
{
	(void)arg;
	if (result->error)
		give_up("like", kudos_error_text(result->error));
	for (uint64_t t = result->first; t <= result->last && t <= MOST; t++)
		atomic_store(&acked_at[t], clock_ns());
}

static void *like(void *leader)
{
	const struct kudos_options options = {.leaders = leader, .on_result = on_result};
	kudos *handle;
	if (kudos_open(&handle, &options))
		give_up("kudos_open", NULL);
	const int64_t began = clock_ns();
	for (int64_t sent = 0; !atomic_load(&over);) {
		for (; sent < (clock_ns() - began) * RATE / NS_PER_S && sent < MOST; sent++)
			kudos_send(handle, KEY, 1, NULL);
		kudos_process(handle, 1);
	}
	kudos_flush(handle);
	kudos_close(&handle);
	return NULL;
}

static void join(struct reader *r, int port)
{
	static const char ask[] = "GET /v1/watch?key=" KEY " HTTP/1.1\r\nHost: x\r\n\r\n";
	const struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	*r = (struct reader){socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -1};
	if (r->fd < 0 || connect(r->fd, (const struct sockaddr *)&at, sizeof at) < 0 ||
	    send(r->fd, ask, sizeof ask - 1, 0) < 0)
		give_up("reader", strerror(errno));
}

/* The last count in what it is told now; a count that is cut is told again with the next. */
static void hear(struct reader *r, struct samples *samples)
{
	char text[4097], *last = NULL;
	const ssize_t size = recv(r->fd, text, sizeof text - 1, MSG_DONTWAIT);
	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0)
		give_up("a reader was cut off", NULL);
	text[size] = '\0';
	for (char *at = text; (at = strstr(at, "\"count\":")); at++)
		last = at + 8;
	if (!last || !strchr(last, '}'))
		return;
	const int64_t count = strtoll(last, NULL, 10);
	if (r->told >= 0 && count > r->told && count <= MOST) {
		const int64_t acked = atomic_load(&acked_at[r->told + 1]), now = clock_ns();
		samples_add(samples, acked && acked < now ? now - acked : 0);
	}
	r->told = count;
}

static void hear_all(int epoll, int64_t until, struct samples *samples)
{
	struct epoll_event events[512];
	while (clock_ns() < until) {
		const int n = epoll_wait(epoll, events, 512, 100);
		for (int i = 0; i < n; i++)
			hear(events[i].data.ptr, samples);
		/* Readers elsewhere would not be woken by the gateway's thread, one after the other. */
		poll(NULL, 0, n < 512);
	}
}

/* Processor time of a process so far, in µs. */
static double busy_us(int pid)
{
	clockid_t clock;
	struct timespec t;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		give_up("the gateway's processor time", NULL);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct crowd {
	struct reader *readers;
	size_t count, listening;
	int epoll;
};

static void crowd_join(struct crowd *c, int port)
{
	c->readers = calloc(c->count, sizeof *c->readers);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!c->readers || c->epoll < 0)
		give_up("readers", strerror(errno));
	for (size_t i = 0; i < c->count; i++) {
		join(&c->readers[i], port);
		struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &c->readers[i]};
		if ((i + 1) * c->listening / c->count > i * c->listening / c->count)
			epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->readers[i].fd, &event);
	}
}

static void crowd_leave(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++)
		close(c->readers[i].fd);
	close(c->epoll);
	free(c->readers);
}

static void floor_of(struct crowd *c, int64_t seconds)
{
	double round_ms, send_us;
	struct samples none = {0};
	struct sse_floor f = sse_floor_begin(c->count, seconds * NS_PER_S);
	crowd_join(c, f.port);
	hear_all(c->epoll, clock_ns() + seconds * NS_PER_S, &none);
	sse_floor_end(&f, &round_ms, &send_us);
	crowd_leave(c);
	samples_deinit(&none);
	printf("\"floor_round_ms\": %.1f, \"floor_us\": %.2f", round_ms, send_us);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		give_up("usage: sse-readers LEADER PORT READERS LISTENING SECONDS PID", NULL);
	struct crowd c = {.count = (size_t)positive(argv[3]), .listening = (size_t)positive(argv[4])};
	const int64_t seconds = (int64_t)positive(argv[5]);
	const int gateway = (int)positive(argv[6]);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	struct samples warm = {0}, samples = {0};
	pthread_t liker;
	crowd_join(&c, (int)positive(argv[2]));
	pthread_create(&liker, NULL, like, argv[1]);
	hear_all(c.epoll, clock_ns() + 3 * NS_PER_S, &warm);
	const double gateway_busy = busy_us(gateway), own_busy = busy_us(getpid());
	hear_all(c.epoll, clock_ns() + seconds * NS_PER_S, &samples);
	const double told = (double)samples.count * (double)c.count / (double)c.listening;
	printf("{\"gateway_us\": %.2f, \"reader_us\": %.2f, ", (busy_us(gateway) - gateway_busy) / told,
	       (busy_us(getpid()) - own_busy) / (double)samples.count);
	atomic_store(&over, true);
	pthread_join(liker, NULL);
	crowd_leave(&c);
	floor_of(&c, seconds);
	printf(", \"told\": ");
	samples_print(&samples);
	printf("}\n");
	samples_deinit(&warm);
	samples_deinit(&samples);
	return 0;
}
