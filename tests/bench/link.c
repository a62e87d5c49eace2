/* SPDX-License-Identifier: MIT */
/* A long way between two network name spaces that have a tun device "far" each: every packet that goes into
 * the one comes out of the other DELAY_MS later, at MBITS a second at most, but for LOSS of a thousand that
 * are lost. What netem does, where the kernel has it.
 *
 *	link DELAY_MS MBITS LOSS /run/netns/ONE /run/netns/OTHER
 *
 * Lines on standard input: "cut": nothing gets through; "mend": it does again; "tell". Each is answered by
 *how many bytes have gone in and come out again, in both directions: {"in": …, "out": …}. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "samples.h"

#define PACKETS 65536 /* under way in one direction; more are lost, as in any queue */
#define PACKET 1500

struct packet {
	int64_t due;
	size_t size;
	unsigned char bytes[PACKET];
};

struct way { /* one direction */
	int from, to;
	struct packet *ring;
	size_t first, count;
	int64_t free_at; /* when the last one has left */
};

struct line {
	int64_t delay, byte_ps; /* how long a byte takes, in picoseconds */
	double loss;
	bool cut;
	long long in, out;
	struct way ways[2];
};

/* The name space's device. This process then lives there, which does not matter to it. */
static int open_device(const char *space)
{
	struct ifreq request = {.ifr_name = "far"};
	const int room = open(space, O_RDONLY | O_CLOEXEC);
	if (room < 0 || setns(room, CLONE_NEWNET) < 0)
		give_up(space, strerror(errno));
	close(room);
	const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	request.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		give_up("/dev/net/tun", strerror(errno));
	return fd;
}

static void take(struct line *line, struct way *way)
{
	for (;;) {
		struct packet *p = &way->ring[(way->first + way->count) % (PACKETS + 1)];
		const ssize_t size = read(way->from, p->bytes, PACKET);
		if (size <= 0)
			return;
		line->in += size;
		const int64_t now = clock_ns();
		const bool lost = line->cut || drand48() * 1000 < line->loss || way->count == PACKETS;
		if (lost)
			continue;
		p->size = (size_t)size;
		way->free_at = (way->free_at > now ? way->free_at : now) + size * line->byte_ps / 1000;
		p->due = way->free_at + line->delay;
		way->count++;
	}
}

static void give(struct line *line, struct way *way, int64_t now)
{
	while (way->count > 0 && way->ring[way->first].due <= now) {
		const struct packet *p = &way->ring[way->first];
		/* What the kernel has no room for is lost, too. */
		if (!line->cut && write(way->to, p->bytes, p->size) < 0 && errno != EAGAIN &&
		    errno != ENOBUFS)
			give_up("write", strerror(errno));
		line->out += line->cut ? 0 : (long long)p->size;
		way->first = (way->first + 1) % (PACKETS + 1);
		way->count--;
	}
}

static void tell(const struct line *line)
{
	printf("{\"in\": %lld, \"out\": %lld}\n", line->in, line->out);
	fflush(stdout);
}

static void obey(struct line *line)
{
	char text[64];
	if (!fgets(text, sizeof text, stdin))
		exit(0);
	if (strcmp(text, "tell\n") != 0)
		line->cut = strcmp(text, "cut\n") == 0;
	tell(line);
}

static void work(struct line *line)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				       {.fd = line->ways[0].from, .events = POLLIN},
				       {.fd = line->ways[1].from, .events = POLLIN}};
		int64_t wait = NS_PER_S;
		const int64_t now = clock_ns();
		for (int i = 0; i < 2; i++) {
			const struct way *way = &line->ways[i];
			const int64_t left = way->count ? way->ring[way->first].due - now : NS_PER_S;
			wait = left < wait ? left : wait;
		}
		wait = wait > 0 ? wait : 0;
		const struct timespec timeout = {wait / NS_PER_S, wait % NS_PER_S};
		if (ppoll(fds, 3, &timeout, NULL) < 0 && errno != EINTR)
			give_up("poll", strerror(errno));
		if (fds[0].revents)
			obey(line);
		for (int i = 0; i < 2; i++) {
			take(line, &line->ways[i]);
			give(line, &line->ways[i], clock_ns());
		}
	}
}

static double number(const char *text)
{
	return strcmp(text, "0") == 0 ? 0 : positive(text);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: %s DELAY_MS MBITS LOSS SPACE SPACE\n", argv[0]);
		return 2;
	}
	struct line line = {.delay = (int64_t)(number(argv[1]) * 1e6),
			    .byte_ps = (int64_t)(8e6 / positive(argv[2])),
			    .loss = number(argv[3])};
	prctl(PR_SET_TIMERSLACK, 1000UL);
	line.ways[0].from = line.ways[1].to = open_device(argv[4]);
	line.ways[0].to = line.ways[1].from = open_device(argv[5]);
	for (int i = 0; i < 2; i++) {
		line.ways[i].ring = calloc(PACKETS + 1, sizeof *line.ways[i].ring);
		if (!line.ways[i].ring)
			give_up("memory", NULL);
	}
	tell(&line);
	work(&line);
}
