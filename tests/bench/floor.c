/* SPDX-License-Identifier: MIT */
/* What libzmq and the disk can do for many clients of one message each: a ROUTER that answers every DEALER
 *when all that it found at once is appended to a file and synced, and as many DEALERs in another process,
 *each of which sends its next message when the one before is answered.
 *
 *	floor FOLDER PORT CLIENTS SECONDS
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "samples.h"

#define ENTRY 128  /* bytes: a journal entry with one like in it, roughly */
#define GROUP 1024 /* most messages of one sync */
#define FILE_BYTES ((off_t)64 << 20)
#define STOP_BYTE 's'

static void *open_socket(void *context, int type)
{
	void *socket = zmq_socket(context, type);
	const int linger = 0;
	if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger)) < 0)
		give_up("socket", zmq_strerror(zmq_errno()));
	return socket;
}

/* Waits for the first message; the others are those that are there by then. How many; 0: the end. */
static int gather(void *router, zmq_msg_t ids[GROUP])
{
	int count = 0;
	for (; count < GROUP; count++) {
		char message[ENTRY];
		zmq_msg_init(&ids[count]);
		if (zmq_msg_recv(&ids[count], router, count ? ZMQ_DONTWAIT : 0) < 0)
			break;
		if (zmq_recv(router, message, sizeof(message), 0) <= 0 || message[0] == STOP_BYTE)
			return 0;
	}
	return count;
}

static void serve(void *router, int fd)
{
	static zmq_msg_t ids[GROUP];
	static char entries[GROUP * ENTRY];
	off_t at = 0;
	int count;
	while ((count = gather(router, ids)) > 0) {
		const size_t size = (size_t)count * ENTRY;
		at = at + (off_t)size > FILE_BYTES ? 0 : at;
		if (pwrite(fd, entries, size, at) != (ssize_t)size || fdatasync(fd) < 0)
			give_up("append", strerror(errno));
		at += (off_t)size;
		for (int i = 0; i < count; i++) {
			if (zmq_msg_send(&ids[i], router, ZMQ_SNDMORE) < 0 || zmq_send(router, "a", 1, 0) < 0)
				give_up("answer", zmq_strerror(zmq_errno()));
		}
	}
}

struct client {
	void *dealer;
	int64_t sent;
};

static void send_one(struct client *client)
{
	const char message[24] = "likes:0000000001";
	client->sent = clock_ns();
	if (zmq_send(client->dealer, message, sizeof(message), 0) < 0)
		give_up("send", zmq_strerror(zmq_errno()));
}

/* Answers that are there, each followed by the client's next message; libzmq may have taken note of an answer
 * while it sent, in silence. */
static void take_turn(struct client *client, struct samples *samples)
{
	char answer[8];
	while (zmq_recv(client->dealer, answer, sizeof(answer), ZMQ_DONTWAIT) >= 0) {
		samples_add(samples, clock_ns() - client->sent);
		send_one(client);
	}
}

static void ask(void *context, const char *endpoint, int count, double seconds)
{
	struct client *clients = calloc((size_t)count, sizeof(*clients));
	struct samples samples = {0};
	const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || epoll_fd < 0)
		give_up("clients", strerror(errno));
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
		int fd;
		size_t size = sizeof(fd);
		clients[i].dealer = open_socket(context, ZMQ_DEALER);
		if (zmq_connect(clients[i].dealer, endpoint) < 0 ||
		    zmq_getsockopt(clients[i].dealer, ZMQ_FD, &fd, &size) < 0 ||
		    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			give_up("client", strerror(errno));
		send_one(&clients[i]);
		take_turn(&clients[i], &samples);
	}
	const int64_t end = clock_ns() + (int64_t)(seconds * (double)NS_PER_S);
	while (clock_ns() < end) {
		struct epoll_event ready[256];
		const int n = epoll_wait(epoll_fd, ready, 256, 1000);
		for (int i = 0; i < n; i++)
			take_turn(ready[i].data.ptr, &samples);
	}
	const char stop = STOP_BYTE;
	zmq_send(clients[0].dealer, &stop, 1, 0);
	samples_print(&samples);
	samples_deinit(&samples);
	for (int i = 0; i < count; i++) {
		const int linger = i ? 0 : 1000;
		zmq_setsockopt(clients[i].dealer, ZMQ_LINGER, &linger, sizeof(linger));
		zmq_close(clients[i].dealer);
	}
	free(clients);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: %s FOLDER PORT CLIENTS SECONDS\n", argv[0]);
		return 2;
	}
	char endpoint[64];
	snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", (int)positive(argv[2]));
	const int clients = (int)positive(argv[3]);
	const double seconds = positive(argv[4]);
	const pid_t asker = fork(); /* before any context: its threads would not come along */
	if (asker < 0)
		give_up("fork", strerror(errno));
	void *context = zmq_ctx_new();
	zmq_ctx_set(context, ZMQ_MAX_SOCKETS, clients + 16);
	int status = 0;
	if (asker == 0) {
		ask(context, endpoint, clients, seconds);
	} else {
		void *router = open_socket(context, ZMQ_ROUTER);
		if (zmq_bind(router, endpoint) < 0)
			give_up(endpoint, zmq_strerror(zmq_errno()));
		serve(router, open_aside(argv[1], FILE_BYTES));
		zmq_close(router);
		waitpid(asker, &status, 0);
	}
	zmq_ctx_term(context);
	return status != 0;
}
