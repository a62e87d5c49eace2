/* SPDX-License-Identifier: MIT */
/* What libzmq alone can do: DEALER to ROUTER over loopback TCP, one message a like, two processes.
 *
 *	bare-zmq throughput PORT SECONDS	nobody answers; counted where they arrive
 *	bare-zmq roundtrip PORT SECONDS [PAUSE]	one message at a time, sent back; PAUSE: milliseconds between
 *two
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "samples.h"

#define MESSAGE_BYTES 24 /* a key of 17 bytes and an amount, encoded */
#define QUEUE 100000
#define CLOCK_EVERY 4096 /* messages between two looks at the clock */

static void *open_socket(void *context, int type)
{
	void *socket = zmq_socket(context, type);
	const int queue = QUEUE, linger = -1;
	if (!socket || zmq_setsockopt(socket, ZMQ_SNDHWM, &queue, sizeof(queue)) < 0 ||
	    zmq_setsockopt(socket, ZMQ_RCVHWM, &queue, sizeof(queue)) < 0 ||
	    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger)) < 0)
		give_up("socket", zmq_strerror(zmq_errno()));
	return socket;
}

static void send_all(void *dealer, double seconds)
{
	char message[MESSAGE_BYTES] = "likes:0000000001";
	const int64_t end = clock_ns() + (int64_t)(seconds * (double)NS_PER_S);
	for (uint64_t i = 0; i % CLOCK_EVERY != 0 || clock_ns() < end; i++) {
		if (zmq_send(dealer, message, sizeof(message), 0) < 0)
			give_up("send", zmq_strerror(zmq_errno()));
	}
	zmq_send(dealer, "", 0, 0);
}

static void receive_all(void *router)
{
	uint64_t count = 0;
	int64_t start = 0;
	for (;;) {
		char id[256], message[MESSAGE_BYTES];
		if (zmq_recv(router, id, sizeof(id), 0) < 0)
			give_up("receive", zmq_strerror(zmq_errno()));
		const int size = zmq_recv(router, message, sizeof(message), 0);
		if (size <= 0)
			break;
		if (count++ == 0)
			start = clock_ns();
	}
	const double seconds = (double)(clock_ns() - start) / (double)NS_PER_S;
	printf("{\"messages\": %llu, \"per_s\": %.0f}\n", (unsigned long long)count, (double)count / seconds);
}

static void ask(void *dealer, double seconds, int pause_ms)
{
	struct samples samples = {0};
	const int64_t end = clock_ns() + (int64_t)(seconds * (double)NS_PER_S);
	char message[MESSAGE_BYTES] = "likes:0000000001";
	for (bool connected = false; clock_ns() < end; connected = true) {
		const int64_t start = clock_ns();
		if (zmq_send(dealer, message, sizeof(message), 0) < 0 ||
		    zmq_recv(dealer, message, sizeof(message), 0) < 0)
			give_up("round trip", zmq_strerror(zmq_errno()));
		if (connected) /* the first one waited for that */
			samples_add(&samples, clock_ns() - start);
		if (pause_ms > 0)
			poll(NULL, 0, pause_ms);
	}
	zmq_send(dealer, "", 0, 0);
	samples_print(&samples);
	samples_deinit(&samples);
}

static void answer(void *router)
{
	for (;;) {
		char id[256], message[MESSAGE_BYTES];
		const int id_size = zmq_recv(router, id, sizeof(id), 0);
		const int size = zmq_recv(router, message, sizeof(message), 0);
		if (id_size < 0 || size <= 0)
			return;
		if (zmq_send(router, id, (size_t)id_size, ZMQ_SNDMORE) < 0 ||
		    zmq_send(router, message, (size_t)size, 0) < 0)
			give_up("answer", zmq_strerror(zmq_errno()));
	}
}

int main(int argc, char **argv)
{
	const bool throughput = argc == 4 && strcmp(argv[1], "throughput") == 0;
	if (!throughput && (argc < 4 || argc > 5 || strcmp(argv[1], "roundtrip") != 0)) {
		fprintf(stderr, "usage: %s throughput|roundtrip PORT SECONDS [PAUSE]\n", argv[0]);
		return 2;
	}
	const double seconds = positive(argv[3]);
	char endpoint[64];
	snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", (int)positive(argv[2]));
	const pid_t sender = fork(); /* before any context: its threads would not come along */
	if (sender < 0)
		give_up("fork", NULL);
	void *context = zmq_ctx_new();
	void *socket = open_socket(context, sender ? ZMQ_ROUTER : ZMQ_DEALER);
	if ((sender ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint)) < 0)
		give_up(endpoint, zmq_strerror(zmq_errno()));
	if (sender)
		throughput ? receive_all(socket) : answer(socket);
	else
		throughput ? send_all(socket, seconds)
			   : ask(socket, seconds, argc == 5 ? (int)positive(argv[4]) : 0);
	zmq_close(socket);
	zmq_ctx_term(context);
	int status = 0;
	if (sender)
		waitpid(sender, &status, 0);
	return status != 0;
}
