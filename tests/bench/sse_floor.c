/* SPDX-License-Identifier: MIT */
#include "sse_floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "samples.h"

#define EVENT "event: count\ndata: {\"key\":\"sse\",\"count\":%ld}\n\n"

struct found {
	double round_ms, send_us;
};

static double busy_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct found send_rounds(const int *fds, size_t count, int64_t duration)
{
	long rounds = 0;
	const double busy = busy_us();
	const int64_t began = clock_ns();
	for (; clock_ns() - began < duration; rounds++) {
		char text[128];
		const int size = snprintf(text, sizeof text, EVENT, rounds);
		for (size_t i = 0; i < count; i++)
			send(fds[i], text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return (struct found){(double)(clock_ns() - began) / 1e6 / (double)rounds,
			      (busy_us() - busy) / (double)rounds / (double)count};
}

static void serve(int listening, size_t count, int64_t duration, int to)
{
	static const int yes = 1;
	int *fds = calloc(count, sizeof *fds);
	for (size_t i = 0; fds && i < count; i++) {
		fds[i] = accept(listening, NULL, NULL);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	}
	const struct found found = fds ? send_rounds(fds, count, duration) : (struct found){0};
	if (write(to, &found, sizeof found) == sizeof found)
		pause(); /* the readers would take its end for a fault */
	_exit(1);
}

struct sse_floor sse_floor_begin(size_t readers, int64_t duration)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof at;
	int ends[2];
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, size) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0 || pipe(ends) < 0)
		give_up("the floor", strerror(errno));
	fflush(stdout);
	const pid_t pid = fork();
	if (pid < 0)
		give_up("the floor", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd, readers, duration, ends[1]);
	}
	close(fd);
	close(ends[1]);
	return (struct sse_floor){pid, ntohs(at.sin_port), ends[0]};
}

void sse_floor_end(struct sse_floor *f, double *round_ms, double *send_us)
{
	struct found found;
	if (read(f->told, &found, sizeof found) != sizeof found)
		give_up("the floor", "it has ended");
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	close(f->told);
	*round_ms = found.round_ms;
	*send_us = found.send_us;
}
