/* SPDX-License-Identifier: MIT */
/* A server's own work for likes, without sockets and disk, so that its instructions can be counted to the
 *last:
 *
 *	valgrind --tool=callgrind --toggle-collect=take_all server-likes each|random|steep KEYS COUNT BATCH
 *
 * each: key 0, 1, 2, … in turn; random: drawn; steep: drawn, of two keys the first twice as often as the
 *second. BATCH likes are a batch, eight batches a group commit. Prints how many likes were counted, so that
 *what callgrind collected can be divided by it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/time.h"
#include "core/proof.h"
#include "samples.h"
#include "server/host.h"
#include "store/memory.h"
#include "../unit/batch_message.h"

#define KEY_BYTES 17
#define GROUP 8

static const struct member self = {
    .node = {1}, .origin = {2}, .since = 1, .name = "s", .secret = {{1, 2, 3}}};

void take_all(struct host *h, struct bytes *batches, size_t count);

static void answer(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	(void)arg, (void)id, (void)id_size, (void)data, (void)size;
}

static void publish(void *arg, const void *topic, size_t topic_size, const void *data, size_t size)
{
	(void)arg, (void)topic, (void)topic_size, (void)data, (void)size;
}

static void members(void *arg, const struct members *all)
{
	(void)arg, (void)all;
}

static void must(int error)
{
	if (error != 0)
		give_up("server-likes", strerror(-error));
}

/* What is counted. */
void take_all(struct host *h, struct bytes *batches, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		must(host_receive_client(h, 10 * SECOND, ROLE_ANY, (const uint8_t *)"c", 1, batches[i].data,
					 batches[i].size));
		if (i % GROUP == GROUP - 1 || i + 1 == count)
			must(host_flush(h, 10 * SECOND));
	}
}

static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t choose(const char *how, uint64_t *state, uint64_t keys, uint64_t n)
{
	if (strcmp(how, "each") == 0)
		return n % keys;
	if (strcmp(how, "random") == 0)
		return draw(state) % keys;
	return (uint64_t)__builtin_clzll(draw(state) | 1) % keys;
}

static struct host *open_host(void)
{
	struct store *store;
	struct host *h;
	const struct host_config config = {.replica = {.self = self, .seed = 3}, .clock = clock_now};
	const struct host_io io = {.send = answer, .publish = publish, .members = members};
	must(memory_open(&store));
	must(host_open(&h, &config, store, &io, 0, NULL, 0));
	for (int64_t now = 0; h->replica.ready.phase != PHASE_SERVING; now += 100 * MS) {
		must(host_tick(h, now));
		must(host_flush(h, now));
	}
	struct bytes hello = {0};
	message_encode(&(struct message){.type = MESSAGE_HELLO, .hello = {.version = PROTOCOL_VERSION}},
		       &hello);
	must(host_receive_client(h, 10 * SECOND, ROLE_ANY, (const uint8_t *)"c", 1, hello.data, hello.size));
	bytes_deinit(&hello);
	return h;
}

/* Each batch's message. */
static struct bytes *make(const char *how, uint64_t keys, size_t batches, size_t size)
{
	static char names[LIMIT_BATCH_EVENTS][KEY_BYTES + 1];
	static struct event events[LIMIT_BATCH_EVENTS];
	struct bytes *all = calloc(batches, sizeof *all);
	uint64_t state = 1, n = 0;
	const struct session session = {77, 1};
	for (size_t i = 0; all && i < batches; i++) {
		for (size_t j = 0; j < size; j++, n++) {
			snprintf(names[j], sizeof names[j], "likes:%011llu",
				 (unsigned long long)choose(how, &state, keys, n) % 100000000000);
			events[j] = (struct event){names[j], 1, KEY_BYTES};
		}
		all[i] = batch_message(session, proof_make(&self, session), i + 1, events, size);
		if (bytes_failed(&all[i]))
			give_up("server-likes", "out of memory");
	}
	return all;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: %s each|random|steep KEYS COUNT BATCH\n", argv[0]);
		return 2;
	}
	const uint64_t keys = (uint64_t)positive(argv[2]);
	const size_t size = (size_t)positive(argv[4]), batches = (size_t)positive(argv[3]) / size;
	if (size > LIMIT_BATCH_EVENTS)
		give_up(argv[4], "a batch has 1024 likes at most");
	struct host *h = open_host();
	struct bytes *all = make(argv[1], keys, batches, size);
	take_all(h, all, batches);
	printf("%lld\n", (long long)h->replica.counts.total);
	for (size_t i = 0; i < batches; i++)
		bytes_deinit(&all[i]);
	free(all);
	host_close(&h);
	return 0;
}
