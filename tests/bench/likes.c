/* SPDX-License-Identifier: MIT */
/* Sends likes with as little work of its own as can be, over as many keys as wanted: kudos-load keeps a tally
 *of every key, and with ten million keys that would be measured, too.
 *
 *	likes each|random LEADER CLIENTS KEYS COUNT [BATCH [KEYBYTES]]
 *
 * each: key 0, 1, 2, … in turn; random: drawn. BATCH: likes are sent in batches of this many; without it the
 * library gathers them for a millisecond. A key is "likes:" and its number, KEYBYTES long together (17).
 * Prints likes, seconds, and the processor seconds of this process. */
#include <kudos.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "samples.h"

#define PREFIX "likes:"
#define KEY_BYTES 17
#define BATCH 1024
#define TIMEOUT_MS 60000 /* ten million likes on a busy machine are on their way for long */

struct run {
	bool random;
	uint64_t keys, count, sent, seed;
	uint64_t batch;
	size_t key_bytes;
	kudos **handles;
	size_t clients;
};

static void put_digits(const struct run *run, char *key, uint64_t number)
{
	for (size_t i = run->key_bytes; i > strlen(PREFIX); i--, number /= 10)
		key[i - 1] = (char)('0' + number % 10);
}

static uint64_t draw(struct run *run)
{
	uint64_t z = run->seed += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % run->keys;
}

/* Whether the handle took any. A drawn key that finds no room is drawn again: nobody minds. */
static bool give(struct run *run, kudos *handle)
{
	char key[KUDOS_KEY_MAX + 1] = PREFIX;
	const uint64_t before = run->sent;
	for (uint64_t i = 0; i < run->batch && run->sent < run->count; i++) {
		put_digits(run, key, run->random ? draw(run) : run->sent % run->keys);
		const int r = kudos_send(handle, key, 1, NULL);
		if (r == KUDOS_BUSY)
			break;
		if (r != KUDOS_OK)
			give_up("send", kudos_detail(handle));
		run->sent++;
	}
	kudos_process(handle, 0);
	return run->sent > before;
}

static void send_all(struct run *run, struct pollfd *fds)
{
	while (run->sent < run->count) {
		bool moved = false;
		for (size_t i = 0; i < run->clients; i++)
			moved = give(run, run->handles[i]) || moved;
		for (size_t i = 0; i < run->clients; i++)
			fds[i] = (struct pollfd){.fd = kudos_fd(run->handles[i]), .events = POLLIN};
		if (!moved)
			poll(fds, run->clients, 1);
	}
	for (size_t i = 0; i < run->clients; i++) {
		if (kudos_flush(run->handles[i]) != KUDOS_OK)
			give_up("flush", kudos_detail(run->handles[i]));
	}
}

static double cpu_seconds(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Every client has a few descriptors. */
static void allow_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void open_all(struct run *run, const char *leaders, bool gather)
{
	struct kudos_options options = {
	    .leaders = leaders, .linger_us = gather ? 0 : -1, .timeout_ms = TIMEOUT_MS};
	run->handles = calloc(run->clients, sizeof(*run->handles));
	if (!run->handles)
		give_up("likes", "out of memory");
	allow_descriptors();
	for (size_t i = 0; i < run->clients; i++) {
		options.share = run->handles[0];
		if (kudos_open(&run->handles[i], &options) != KUDOS_OK)
			give_up("open", kudos_detail(run->handles[i]));
	}
}

int main(int argc, char **argv)
{
	if (argc < 6 || argc > 8) {
		fprintf(stderr, "usage: %s each|random LEADER CLIENTS KEYS COUNT [BATCH [KEYBYTES]]\n",
			argv[0]);
		return 2;
	}
	struct run run = {.random = strcmp(argv[1], "random") == 0, .clients = (size_t)positive(argv[3])};
	run.keys = (uint64_t)positive(argv[4]);
	run.count = (uint64_t)positive(argv[5]);
	run.batch = argc > 6 ? (uint64_t)positive(argv[6]) : BATCH;
	/* Turns no longer than that everyone gets one: else the first clients would send everything. */
	if (run.batch > run.count / run.clients)
		run.batch = run.count / run.clients ? run.count / run.clients : 1;
	run.key_bytes = argc > 7 ? (size_t)positive(argv[7]) : KEY_BYTES;
	if (run.key_bytes > KUDOS_KEY_MAX)
		give_up(argv[7], "a key has 128 bytes at most");
	struct pollfd *fds = calloc(run.clients, sizeof(*fds));
	if (!fds)
		give_up("likes", "out of memory");
	open_all(&run, argv[2], argc == 6);
	const int64_t start = clock_ns();
	send_all(&run, fds);
	printf("{\"likes\": %llu, \"seconds\": %.4f, \"cpu_s\": %.4f}\n", (unsigned long long)run.sent,
	       (double)(clock_ns() - start) / (double)NS_PER_S, cpu_seconds());
	for (size_t i = run.clients; i > 0; i--) /* the first owns what the others share */
		kudos_close(&run.handles[i - 1]);
	free(run.handles);
	free(fds);
	return 0;
}
