/* SPDX-License-Identifier: MIT */
/* What somebody says to kudos-gateway on a connection: libmicrohttpd and all that it calls, over a stand-in
 * for libkudos. The library is asked only what it may be asked, whoever asked is answered or has gone, and
 * every connection ends.
 *
 * The first byte says how the cluster feels, the second which gateway it is and how the rest, which is what
 * is said, is cut. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/input.h"
#include "gateway.h"
#include "wire/key.h"

#define TOKENS "read rrrrrrrrrrrrrrrr\nwrite wwwwwwwwwwwwwwww\noperate oooooooooooooooo\n"
#define ENDS_WITHIN 10000 /* ms */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the stand-in for the library ---- */

enum { REFUSES = 0x80, SILENT = 0x40 }; /* of the mood; the rest is the error of every answer */
static uint8_t mood;

struct wanted {
	char what;
	uint64_t id;
	size_t n;
};

struct kudos {
	struct kudos_options how;
	struct wanted asked[2048];
	size_t count;
	uint64_t last_id, taken, told;
	int64_t likes;
	char watched[1000][KUDOS_KEY_MAX + 1];
	size_t watches;
};

int kudos_open(kudos **handle, const struct kudos_options *options)
{
	*handle = calloc(1, sizeof **handle);
	if (*handle)
		(*handle)->how = *options;
	return *handle ? KUDOS_OK : KUDOS_NO_MEMORY;
}

void kudos_close(kudos **handle)
{
	free(*handle);
	*handle = NULL;
}

const char *kudos_detail(const kudos *handle)
{
	(void)handle;
	return "";
}

int kudos_fd(kudos *handle)
{
	(void)handle;
	return -1;
}

int kudos_wait_ms(kudos *handle)
{
	(void)handle;
	return 0;
}

int kudos_check_key(const char *key, size_t size)
{
	return key_check(key, size);
}

int kudos_check_amount(int64_t n)
{
	return n == 0 || n > KUDOS_AMOUNT_MAX || n < -KUDOS_AMOUNT_MAX ? KUDOS_BAD_AMOUNT : 0;
}

static int ask(kudos *k, char what, size_t n, uint64_t *id)
{
	if (mood & REFUSES || k->count == sizeof k->asked / sizeof *k->asked)
		return KUDOS_BUSY;
	*id = ++k->last_id;
	k->asked[k->count++] = (struct wanted){what, *id, n};
	return KUDOS_OK;
}

int kudos_send(kudos *k, const char *key, int64_t n, uint64_t *ticket)
{
	must(!ticket && key_check(key, strlen(key)) == 0 && kudos_check_amount(n) == 0);
	if (mood & REFUSES)
		return KUDOS_BUSY;
	k->taken++;
	return KUDOS_OK;
}

int kudos_ask_counts(kudos *k, const char *const *keys, size_t n, const char *token, uint64_t *id)
{
	must(n >= 1 && n <= 1024);
	for (size_t i = 0; i < n; i++)
		must(key_check(keys[i], strlen(keys[i])) == 0);
	return token && strchr(token, 'x') ? KUDOS_BAD_TOKEN : ask(k, 'c', n, id);
}

int kudos_ask_top(kudos *k, size_t n, uint64_t *id)
{
	must(n >= 1 && n <= KUDOS_TOP_MAX);
	return ask(k, 't', n, id);
}

int kudos_ask_session(kudos *k, uint64_t lifetime, uint64_t *id)
{
	return lifetime > 604800 ? KUDOS_LIMIT : ask(k, 's', 0, id);
}

static int ask_of(kudos *k, char what, const char *session, uint64_t number, uint64_t *id)
{
	must(strlen(session) < KUDOS_SESSION_SIZE || what == 'd');
	return *session != 's'	      ? KUDOS_BAD_SESSION
	       : number == UINT64_MAX ? KUDOS_BAD_NUMBER
				      : ask(k, what, 0, id);
}

int kudos_ask_put(kudos *k, const char *session, uint64_t number, const struct kudos_event *events, size_t n,
		  uint64_t *id)
{
	must(n >= 1 && n <= 1024 && number >= 1);
	for (size_t i = 0; i < n; i++)
		must(key_check(events[i].key, strlen(events[i].key)) == 0 &&
		     kudos_check_amount(events[i].n) == 0);
	return ask_of(k, 'p', session, number, id);
}

int kudos_ask_counted(kudos *k, const char *session, uint64_t number, uint64_t *id)
{
	must(number >= 1);
	return ask_of(k, 'p', session, number, id);
}

int kudos_ask_session_close(kudos *k, const char *session, uint64_t *id)
{
	return ask_of(k, 'd', session, 1, id);
}

int kudos_ask_status(kudos *k, uint64_t *id)
{
	return ask(k, '?', 0, id);
}

int kudos_ask_metrics(kudos *k, uint64_t *id)
{
	return ask(k, 'm', 0, id);
}

void kudos_cancel(kudos *k, uint64_t id)
{
	size_t kept = 0;
	for (size_t i = 0; i < k->count; i++) {
		if (k->asked[i].id != id)
			k->asked[kept++] = k->asked[i];
	}
	k->count = kept;
}

void kudos_token(const kudos *k, char *token, size_t room)
{
	(void)k;
	snprintf(token, room, "0000000000000001.7");
}

int kudos_watch(kudos *k, const char *key)
{
	must(key_check(key, strlen(key)) == 0);
	if (k->watches == sizeof k->watched / sizeof *k->watched)
		return KUDOS_LIMIT;
	strcpy(k->watched[k->watches++], key);
	return KUDOS_OK;
}

void kudos_unwatch(kudos *k, const char *key)
{
	for (size_t i = 0; i < k->watches; i++) {
		if (strcmp(k->watched[i], key) == 0) {
			memmove(k->watched[i], k->watched[--k->watches], sizeof k->watched[i]);
			return;
		}
	}
	must(false); /* it was not watched */
}

static void answer_status(const kudos *k, uint64_t id, int error)
{
	struct kudos_status *s = calloc(1, sizeof *s + sizeof s->servers[0]);
	must(s);
	strcpy(s->leader_endpoint, "tcp://127.0.0.1:5001");
	s->server_count = 1;
	strcpy(s->servers[0].name, "s1");
	strcpy(s->servers[0].state, "up");
	k->how.on_status(k->how.arg, id, error, error ? NULL : s);
	free(s);
}

static void answer(const kudos *k, const struct wanted *a, int error)
{
	static const int64_t counts[1024] = {3, -1, INT64_MAX, INT64_MIN};
	struct kudos_ranked top[KUDOS_TOP_MAX] = {{.key = "a\"b", .count = 9}, {.key = "likes", .count = 2}};
	if (a->what == 'c')
		k->how.on_counts(k->how.arg, a->id, error, error ? NULL : counts, error ? 0 : a->n);
	else if (a->what == 't')
		k->how.on_top(k->how.arg, a->id, error, error ? NULL : top, error ? 0 : a->n > 2 ? 2 : a->n);
	else if (a->what == 's')
		k->how.on_session(k->how.arg, a->id, error, error ? NULL : "s.1.1.1");
	else if (a->what == '?')
		answer_status(k, a->id, error);
	else if (a->what == 'm')
		k->how.on_metrics(k->how.arg, a->id, error, NULL, 0);
	else
		k->how.on_put(k->how.arg, a->id, error, a->what == 'p' ? "0000000000000001.8" : "");
}

int kudos_process(kudos *k, int timeout_ms)
{
	static struct wanted asked[sizeof k->asked / sizeof *k->asked];
	must(timeout_ms == 0);
	if (mood & SILENT)
		return KUDOS_OK;
	int error = (mood & 0x3f) < KUDOS_ERROR_COUNT ? mood & 0x3f : KUDOS_OK;
	size_t count = k->count;
	memcpy(asked, k->asked, count * sizeof *asked);
	k->count = 0;
	for (size_t i = 0; i < count; i++)
		answer(k, &asked[i], error);
	struct kudos_result result = {k->told + 1, k->taken, error};
	k->told = k->taken;
	if (result.first <= result.last)
		k->how.on_result(k->how.arg, &result);
	k->likes++;
	for (size_t i = 0; i < k->watches; i++)
		k->how.on_change(k->how.arg, k->watched[i], k->likes);
	return KUDOS_OK;
}

/* ---- the gateways ---- */

static void pass(struct gateway *g)
{
	bool told;
	must(gateway_pass(g, -1, &told) && !told);
}

static struct gateway *start(struct gateway *g, const char *tokens)
{
	const struct options options = {.address = "127.0.0.1",
					.timeout_ms = 5000,
					.connections = 100,
					.watch_rate = 1000,
					.patience_ms = 60000,
					.tokens = tokens,
					.origins = tokens ? "https://shop.example,https://b.example" : NULL};
	must(gateway_open(g, &options));
	return g;
}

static struct gateway *gateway_of(bool with_tokens)
{
	static struct gateway gateways[2];
	static char path[32];
	struct gateway *g = &gateways[with_tokens];
	if (g->handle)
		return g;
	if (!with_tokens)
		return start(g, NULL);
	int file = memfd_create("tokens", MFD_CLOEXEC);
	must(file >= 0 && write(file, TOKENS, strlen(TOKENS)) == (ssize_t)strlen(TOKENS) &&
	     fchmod(file, 0600) == 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	return start(g, path);
}

/* All that was said so far is dropped. */
static void drain(int fd)
{
	char said[65536];
	while (recv(fd, said, sizeof said, MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int pair[2];
	struct input in = {data, size};
	mood = input_byte(&in);
	unsigned how = input_byte(&in);
	struct gateway *g = gateway_of(how & 1);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	must(MHD_add_connection(g->http.daemon, pair[0], (const struct sockaddr *)&peer, sizeof peer) ==
	     MHD_YES);
	while (in.left) {
		size_t got;
		const uint8_t *part = input_run(&in, how & 2 ? 7 : 65536, &got);
		if (send(pair[1], part, got, MSG_NOSIGNAL) < 0)
			break;
		pass(g);
		drain(pair[1]);
	}
	pass(g);
	close(pair[1]);
	mood = 0; /* everybody is answered now */
	int64_t until = gateway_now() + ENDS_WITHIN;
	while (g->http.visits.count) {
		must(gateway_now() < until);
		pass(g);
	}
	must(!g->http.waiting.count && !g->http.streams.count && !g->hub.reader_count &&
	     !g->sessions.waiting);
	return 0;
}
