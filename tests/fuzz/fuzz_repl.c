/* SPDX-License-Identifier: MIT */
/* Lines for the REPL, over a stand-in for libkudos and without time. The library is asked only what it may be
 * asked, and nothing that was typed gets to a terminal as anything but text. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "fuzz/input.h"
#include "repl.h"
#include "wire/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the stand-in for the library ---- */

struct kudos {
	uint64_t taken;
	unsigned watches;
};

int kudos_open(kudos **handle, const struct kudos_options *options)
{
	(void)options;
	*handle = calloc(1, sizeof **handle);
	return *handle ? KUDOS_OK : KUDOS_NO_MEMORY;
}

void kudos_close(kudos **handle)
{
	free(*handle);
	*handle = NULL;
}

int kudos_check_key(const char *key, size_t size)
{
	return key_check(key, size);
}

int kudos_check_amount(int64_t n)
{
	return n == 0 || n > KUDOS_AMOUNT_MAX || n < -KUDOS_AMOUNT_MAX ? KUDOS_BAD_AMOUNT : 0;
}

static void must_be_key(const char *key)
{
	must(key_check(key, strlen(key)) == 0);
}

int kudos_like(kudos *handle, const char *key, int64_t n)
{
	must_be_key(key);
	must(kudos_check_amount(n) == 0);
	handle->taken++;
	return strcmp(key, "busy") == 0 ? KUDOS_BUSY : KUDOS_OK;
}

int kudos_send(kudos *handle, const char *key, int64_t n, uint64_t *ticket)
{
	must(ticket == NULL);
	return kudos_like(handle, key, n);
}

int kudos_count(kudos *handle, const char *const *keys, size_t n, int64_t *counts)
{
	(void)handle;
	must(n >= 1 && n <= 1024);
	for (size_t i = 0; i < n; i++) {
		must_be_key(keys[i]);
		counts[i] = (int64_t)strlen(keys[i]) - 3;
	}
	return strcmp(keys[0], "behind") == 0 ? KUDOS_BEHIND : KUDOS_OK;
}

const char *kudos_server(const kudos *handle)
{
	(void)handle;
	return "s1 (tcp://127.0.0.1:5100)";
}

int kudos_top(kudos *handle, size_t n, struct kudos_ranked *top, size_t *found)
{
	(void)handle;
	must(n >= 1 && n <= KUDOS_TOP_MAX);
	*found = n - 1;
	for (size_t i = 0; i < *found; i++)
		top[i] = (struct kudos_ranked){.key = "likes", .count = (int64_t)(n - i)};
	return n == 13 ? KUDOS_NOT_SERVING : KUDOS_OK;
}

int kudos_watch(kudos *handle, const char *key)
{
	must_be_key(key);
	return ++handle->watches > 1000 ? KUDOS_LIMIT : KUDOS_OK;
}

int kudos_forget(kudos *handle, const char *node)
{
	(void)handle;
	must(node[0] != '\0' && !strpbrk(node, " \t\r\n\v\f"));
	return strlen(node) % 2 ? KUDOS_UNKNOWN_NODE : KUDOS_OK;
}

int kudos_drain(kudos *handle, const char *node)
{
	return kudos_forget(handle, node);
}

/* What a hostile server may have called itself: the protocol lets no such name through, the tool needs not
 * know. */
int kudos_status(kudos *handle, struct kudos_status **status)
{
	(void)handle;
	*status = calloc(1, sizeof **status + sizeof(*status)->servers[0]);
	must(*status);
	(*status)->server_count = 1;
	(*status)->servers[0] = (struct kudos_server_status){
	    .name = "s\033[2J", .node = "0000000000000001", .state = "up", .client_endpoint = "tcp://x:1"};
	return KUDOS_OK;
}

const char *kudos_detail(const kudos *handle)
{
	(void)handle;
	return "said by a server: \033[2J\302\2332J\n";
}

uint64_t kudos_taken(const kudos *handle)
{
	return handle->taken;
}

uint64_t kudos_resolved(const kudos *handle)
{
	return handle->taken - handle->taken % 2; /* sometimes the last one is never answered */
}

int kudos_keygen(const char *file, const char *role, const char *name, bool replace, char *public_key,
		 char *why, size_t why_size)
{
	(void)file, (void)role, (void)name, (void)replace, (void)public_key, (void)why, (void)why_size;
	must(false); /* not one of the REPL's */
	return KUDOS_SYSTEM;
}

/* ---- the stand-in for session.c: time passes by being waited for ---- */

static int64_t clock_ms;

int64_t session_now_ms(void)
{
	return clock_ms;
}

kudos *session_handle(struct session *session, enum outcome *outcome)
{
	*outcome = FAILED;
	if (!session->handle)
		must(kudos_open(&session->handle, &(struct kudos_options){0}) == KUDOS_OK);
	return session->handle;
}

int session_open(struct session *session, const struct kudos_options *options, kudos **handle)
{
	(void)session;
	return kudos_open(handle, options);
}

enum outcome session_failed(struct session *session, const kudos *handle, int error, const char *prefix)
{
	must(error > KUDOS_OK && error < KUDOS_ERROR_COUNT);
	output_error(&session->out, kudos_error_code(error), "%s %s", prefix, kudos_detail(handle));
	return FAILED;
}

bool interrupt_begin(struct interrupt *interrupt, const struct output *out)
{
	(void)out;
	interrupt->fd = 0;
	return true;
}

void interrupt_end(struct interrupt *interrupt)
{
	(void)interrupt;
}

bool interrupt_pressed(const struct interrupt *interrupt)
{
	(void)interrupt;
	return false;
}

/* Ctrl-C at the 20th wait, and at each that has no end. */
int interrupt_wait(struct interrupt *interrupt, kudos *handle, int ms, bool *interrupted)
{
	(void)handle;
	clock_ms += ms > 0 ? ms : 1;
	*interrupted = ms < 0 || ++interrupt->fd >= 20;
	return KUDOS_OK;
}

/* ---- */

struct caught {
	FILE *before, *file;
	char *text;
	size_t size;
};

static FILE *catch_output(struct caught *c, FILE *before)
{
	*c = (struct caught){.before = before};
	c->file = open_memstream(&c->text, &c->size);
	must(c->file);
	return c->file;
}

static void check_output(struct caught *c)
{
	fclose(c->file);
	for (size_t i = 0; i < c->size; i++) {
		unsigned char byte = (unsigned char)c->text[i];
		must(byte == '\n' || (byte >= 0x20 && byte != 0x7f));
		unsigned char next = (unsigned char)c->text[i + 1]; /* there is a NUL behind the last */
		must(byte != 0xc2 || next < 0x80 || next > 0x9f);   /* control characters, too */
	}
	free(c->text);
}

/* Not a terminal, whoever starts this: the editing of lines is libedit's. */
static void leave_terminal(void)
{
	static bool left;
	if (left)
		return;
	left = freopen("/dev/null", "r", stdin) != NULL;
	must(left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session session = {.timeout_ms = 5000};
	struct caught out, err;
	struct input in = {data, size};
	leave_terminal();
	session.out.json = input_byte(&in) & 1;
	FILE *lines = fmemopen((void *)(uintptr_t)in.at, in.left, "r"), *keyboard = stdin;
	if (!lines)
		return 0; /* nothing to read */
	stdin = lines;
	stdout = catch_output(&out, stdout);
	stderr = catch_output(&err, stderr);
	clock_ms = 0;
	repl_run(&session);
	fclose(stdin);
	stdin = keyboard;
	stdout = out.before;
	stderr = err.before;
	check_output(&out);
	check_output(&err);
	must(session.keys.count <= WORD_SET_MAX);
	kudos_close(&session.handle);
	word_set_deinit(&session.keys);
	word_set_deinit(&session.nodes);
	return 0;
}
