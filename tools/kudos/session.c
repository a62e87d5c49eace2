/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* The likes of first..last that came after the ticket `after`. */
static uint64_t overlap(uint64_t after, uint64_t first, uint64_t last)
{
	uint64_t from = first > after ? first : after + 1;
	return last >= from ? last - from + 1 : 0;
}

static void on_result(void *arg, const struct kudos_result *result)
{
	struct tally *tally = &((struct session *)arg)->tally;
	uint64_t likes = overlap(tally->after, result->first, result->last);
	if (!likes)
		return;
	if (result->error == KUDOS_OK) {
		tally->acknowledged += likes;
	} else if (result->error == KUDOS_IN_DOUBT) {
		tally->in_doubt += likes;
	} else {
		tally->refused += likes;
		tally->error = result->error;
	}
}

void session_deinit(struct session *session)
{
	kudos_close(&session->handle);
	word_set_deinit(&session->keys);
	word_set_deinit(&session->nodes);
}

kudos *session_handle(struct session *session, enum outcome *outcome)
{
	if (session->handle)
		return session->handle;
	char why[512] = "";
	int error = kudos_open(&session->handle, &(struct kudos_options){
						     .leaders = session->leaders,
						     .server = session->server,
						     .timeout_ms = session->timeout_ms,
						     .on_result = on_result,
						     .arg = session,
						     .key_file = session->key,
						     .trust_dir = session->trust,
						     .why = why,
						     .why_size = sizeof why,
						 });
	if (error == KUDOS_OK)
		return session->handle;
	session->handle = NULL;
	if (*why) {
		output_error(&session->out, kudos_error_code(error), "%s", why);
		*outcome = FAILED;
		return NULL;
	}
	const char *given = session->server ? session->server : session->leaders;
	*outcome = session_failed(session, NULL, error, given ? given : KUDOS_DEFAULT_LEADER);
	return NULL;
}

int session_open(struct session *session, const struct kudos_options *options, kudos **handle)
{
	struct kudos_options full = *options;
	full.share = session->handle;
	if (!full.server) {
		full.leaders = session->leaders;
		full.server = session->server;
	}
	int error = kudos_open(handle, &full);
	if (error)
		session_failed(session, NULL, error, full.server ? full.server : "");
	return error;
}

enum outcome session_failed(struct session *session, const kudos *handle, int error, const char *prefix)
{
	const char *detail = handle ? kudos_detail(handle) : NULL;
	if (!detail || !*detail)
		detail = kudos_error_text(error);
	/* The library often names the culprit itself. */
	bool named = !*prefix || strstr(detail, prefix);
	output_error(&session->out, kudos_error_code(error), "%s%s%s", named ? "" : prefix, named ? "" : ": ",
		     detail);
	return error == KUDOS_BAD_KEY || error == KUDOS_BAD_AMOUNT || error == KUDOS_BAD_ENDPOINT ? USAGE
												  : FAILED;
}

int64_t session_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool interrupt_begin(struct interrupt *interrupt, const struct output *out)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0) {
		output_error(out, kudos_error_code(KUDOS_SYSTEM), "signalfd: %s", strerror(errno));
		return false;
	}
	interrupt->fd = fd;
	sigprocmask(SIG_BLOCK, &mask, &interrupt->before);
	return true;
}

bool interrupt_pressed(const struct interrupt *interrupt)
{
	struct signalfd_siginfo info;
	return read(interrupt->fd, &info, sizeof(info)) == (ssize_t)sizeof(info);
}

void interrupt_end(struct interrupt *interrupt)
{
	/* One more Ctrl-C while the command was already ending must not end the process as well. */
	while (interrupt_pressed(interrupt))
		;
	close(interrupt->fd);
	sigprocmask(SIG_SETMASK, &interrupt->before, NULL);
}

int interrupt_wait(struct interrupt *interrupt, kudos *handle, int ms, bool *interrupted)
{
	int wait = kudos_wait_ms(handle);
	if (wait < 0 || (ms >= 0 && ms < wait))
		wait = ms;
	struct pollfd watched[] = {
	    {.fd = kudos_fd(handle), .events = POLLIN},
	    {.fd = interrupt->fd, .events = POLLIN},
	};
	if (poll(watched, 2, wait) < 0 && errno != EINTR)
		return KUDOS_SYSTEM;
	bool pressed = interrupt_pressed(interrupt);
	int error = kudos_process(handle, 0);
	if (error)
		return error;
	*interrupted = pressed;
	return KUDOS_OK;
}
