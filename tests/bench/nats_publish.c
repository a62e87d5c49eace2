/* SPDX-License-Identifier: MIT */
/* Publishes to a NATS JetStream stream of three replicas, in files, and counts the acknowledgements: what
 * `nats bench --js --pub` does, which Debian does not have.
 *
 *	nats-publish SECONDS CLIENTS WINDOW PORT...
 *
 * CLIENTS connections, spread over the servers at the PORTs, each with up to WINDOW messages unacknowledged.
 * A message is 24 bytes, a key and an amount. Prints acknowledged messages and their rate; of one client with
 * one message at a time, how long one took. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "samples.h"

#define CLIENTS 64
#define IN_BYTES 65536
#define OUT_BYTES 65536
#define PATIENCE_NS (20 * NS_PER_S)
#define STREAM                                                                                        \
	"{\"name\":\"LIKES\",\"subjects\":[\"likes\"],\"storage\":\"file\",\"retention\":\"limits\"," \
	"\"discard\":\"old\",\"num_replicas\":3,\"max_bytes\":-1,\"max_msgs\":-1}"

struct client {
	int fd;
	unsigned number;
	uint64_t sent, answered, refused;
	size_t in_size, out_size, out_sent;
	char in[IN_BYTES], out[OUT_BYTES];
};

static void connect_client(struct client *c, unsigned number, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const int on = 1;
	*c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .number = number};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		give_up("connect", strerror(errno));
	c->out_size = (size_t)snprintf(c->out, sizeof(c->out),
				       "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\","
				       "\"version\":\"1\",\"protocol\":1}\r\nSUB _INBOX.%u 1\r\n",
				       number);
}

/* A whole message: how many bytes it takes, or 0 when some are missing. */
static size_t message_size(const char *at, size_t size, size_t *line)
{
	const char *end = memchr(at, '\n', size);
	if (!end)
		return 0;
	*line = (size_t)(end - at) + 1;
	if (strncmp(at, "MSG ", 4) != 0)
		return *line;
	const char *number = end - 1;
	while (number[-1] != ' ')
		number--;
	const size_t whole = *line + strtoul(number, NULL, 10) + 2;
	return whole <= size ? whole : 0;
}

static void take(struct client *c, const char *at, size_t size, size_t line)
{
	if (strncmp(at, "MSG ", 4) == 0) {
		c->answered++;
		if (memmem(at + line, size - line, "\"error\"", 7))
			c->refused++;
	} else if (strncmp(at, "PING", 4) == 0 && c->out_size + 6 <= sizeof(c->out)) {
		memcpy(c->out + c->out_size, "PONG\r\n", 6);
		c->out_size += 6;
	} else if (strncmp(at, "-ERR", 4) == 0) {
		give_up("nats-server", at);
	}
}

static void receive(struct client *c)
{
	const ssize_t got = recv(c->fd, c->in + c->in_size, sizeof(c->in) - 1 - c->in_size, MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		give_up("receive", got ? strerror(errno) : "the server has closed the connection");
	if (got < 0)
		return;
	c->in_size += (size_t)got;
	c->in[c->in_size] = '\0';
	size_t at = 0, size, line;
	while ((size = message_size(c->in + at, c->in_size - at, &line)) > 0) {
		take(c, c->in + at, size, line);
		at += size;
	}
	memmove(c->in, c->in + at, c->in_size - at);
	c->in_size -= at;
}

static void flush(struct client *c)
{
	const ssize_t put =
	    send(c->fd, c->out + c->out_sent, c->out_size - c->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (put < 0 && errno != EAGAIN)
		give_up("send", strerror(errno));
	c->out_sent += put > 0 ? (size_t)put : 0;
	if (c->out_sent == c->out_size)
		c->out_sent = c->out_size = 0;
}

static void publish(struct client *c, uint64_t window)
{
	while (c->sent - c->answered < window && c->out_size + 128 < sizeof(c->out)) {
		c->out_size += (size_t)snprintf(c->out + c->out_size, sizeof(c->out) - c->out_size,
						"PUB likes _INBOX.%u 24\r\nlikes:%011u      1\r\n", c->number,
						(unsigned)(c->sent * 7919 % 10000));
		c->sent++;
	}
}

static void wait_for(struct client *clients, size_t count)
{
	struct pollfd fds[CLIENTS];
	for (size_t i = 0; i < count; i++) {
		const short out = clients[i].out_size > 0 ? POLLOUT : 0;
		fds[i] = (struct pollfd){.fd = clients[i].fd, .events = (short)(POLLIN | out)};
	}
	poll(fds, count, 100);
	for (size_t i = 0; i < count; i++) {
		if (fds[i].revents & ~POLLOUT)
			receive(&clients[i]);
	}
}

/* The cluster answers once it has elected its leader; a stream that exists already is as good. */
static void make_stream(struct client *c)
{
	const int64_t until = clock_ns() + PATIENCE_NS;
	while (c->answered == 0) {
		c->out_size += (size_t)snprintf(c->out + c->out_size, sizeof(c->out) - c->out_size,
						"PUB $JS.API.STREAM.CREATE.LIKES _INBOX.%u %zu\r\n%s\r\n",
						c->number, strlen(STREAM), STREAM);
		for (int tries = 0; c->answered == 0 && tries < 5; tries++) {
			flush(c);
			wait_for(c, 1);
		}
		if (clock_ns() > until)
			give_up("stream", "not made within 20 seconds");
	}
	c->answered = c->refused = 0;
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "usage: %s SECONDS CLIENTS WINDOW PORT...\n", argv[0]);
		return 2;
	}
	const size_t count = (size_t)positive(argv[2]);
	const uint64_t window = (uint64_t)positive(argv[3]);
	static struct client clients[CLIENTS];
	if (count > CLIENTS)
		give_up("clients", "64 at most");
	for (size_t i = 0; i < count; i++)
		connect_client(&clients[i], (unsigned)i, atoi(argv[4 + i % (size_t)(argc - 4)]));
	make_stream(&clients[0]);
	const int64_t start = clock_ns(), end = start + (int64_t)(positive(argv[1]) * (double)NS_PER_S);
	struct samples samples = {0};
	int64_t last = start;
	uint64_t answered = 0;
	while (clock_ns() < end) {
		for (size_t i = 0; i < count; i++) {
			publish(&clients[i], window);
			flush(&clients[i]);
		}
		wait_for(clients, count);
		if (count == 1 && window == 1 && clients[0].answered > answered) {
			const int64_t now = clock_ns();
			samples_add(&samples, now - last);
			answered = clients[0].answered;
			last = now;
		}
	}
	if (samples.count > 0) {
		samples_print(&samples);
		samples_deinit(&samples);
		return 0;
	}
	uint64_t acknowledged = 0, refused = 0;
	for (size_t i = 0; i < count; i++) {
		acknowledged += clients[i].answered - clients[i].refused;
		refused += clients[i].refused;
	}
	printf("{\"acknowledged\": %llu, \"refused\": %llu, \"per_s\": %.0f}\n",
	       (unsigned long long)acknowledged, (unsigned long long)refused,
	       (double)acknowledged * (double)NS_PER_S / (double)(clock_ns() - start));
	return 0;
}
