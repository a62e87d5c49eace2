/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "report.h"

#define RUN_LIKES 1024 /* most likes a client sends in one turn: a full batch, so that others come soon */
#define CHUNK_LIKES 64 /* likes that share a time when there is no rate: sending them takes microseconds */
#define TURN                                                                                                \
	(500 * NS_PER_MS / 1000) /* between two turns at a rate: each like by itself would take a processor \
				  */
#define READY 256 /* clients with answers that are looked at in one turn; the others come next */
#define STEP_POLL (20 * NS_PER_MS) /* how often to look whether a running step has ended */

static int fail(struct load *load, int error, const kudos *handle)
{
	const char *detail = kudos_detail(handle);
	snprintf(load->error, sizeof(load->error), "%s",
		 detail && detail[0] ? detail : kudos_error_text(error));
	return error;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
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

/* ready: whose it is; NULL for the signals, which are read at every turn. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is set when the kernel gives it back */
static bool poll_too(const struct load *load, int fd, bool *ready)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = ready};
	return epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int open_carriers(struct load *load, const struct kudos_options *options)
{
	const unsigned n = load->plan->connections, most = (load->plan->clients + n - 1) / n;
	while (load->carrier_count < n) {
		struct carrier *carrier = &load->carriers[load->carrier_count++];
		const int r = carrier_init(carrier, options, most);
		if (r != KUDOS_OK)
			return fail(load, r, carrier->handle);
		if (!poll_too(load, kudos_fd(carrier->handle), &carrier->ready))
			return fail(load, KUDOS_SYSTEM, NULL);
	}
	return KUDOS_OK;
}

static int open_client(struct load *load, const struct kudos_options *options)
{
	const unsigned at = load->opened;
	struct client *client = &load->clients[load->opened++];
	if (load->carrier_count > 0) {
		struct carrier *carrier = &load->carriers[at % load->carrier_count];
		client_init_carried(client, carrier, load->keys);
		carrier_add(carrier, client);
		return KUDOS_OK;
	}
	const int r = client_init(client, options, load->keys);
	if (r != KUDOS_OK)
		return fail(load, r, client->handle);
	client->ready = true;
	return poll_too(load, kudos_fd(client->handle), &client->ready) ? KUDOS_OK
									: fail(load, KUDOS_SYSTEM, NULL);
}

int load_init(struct load *load, const struct plan *plan, struct keys *keys,
	      const struct kudos_options *options)
{
	*load = (struct load){.plan = plan, .keys = keys, .signals = open_signals()};
	steps_init(&load->steps, plan);
	allow_descriptors();
	/* The default slack of 50 microseconds would be added to every intended time that is waited for. */
	prctl(PR_SET_TIMERSLACK, 1000UL);
	load->clients = calloc(plan->clients, sizeof(*load->clients));
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load->phases = calloc(plan->phase_count, sizeof(*load->phases));
	load->carriers = calloc(plan->connections + 1, sizeof(*load->carriers));
	if (!load->clients || !load->phases || !load->carriers)
		return fail(load, KUDOS_NO_MEMORY, NULL);
	if (load->epoll_fd < 0 || (load->signals >= 0 && !poll_too(load, load->signals, NULL)))
		return fail(load, KUDOS_SYSTEM, NULL);
	int r = plan->connections > 0 ? open_carriers(load, options) : KUDOS_OK;
	while (r == KUDOS_OK && load->opened < plan->clients) {
		r = open_client(load, options);
		load->clients[load->opened - 1].tally = &load->phases[0].tally;
	}
	return r;
}

void load_close(struct load *load)
{
	for (; load->carrier_count > 0; load->carrier_count--)
		carrier_deinit(&load->carriers[load->carrier_count - 1]);
	for (; load->opened > 0; load->opened--)
		client_deinit(&load->clients[load->opened - 1]);
}

void load_deinit(struct load *load)
{
	load_close(load);
	free(load->clients);
	free(load->carriers);
	free(load->phases);
	if (load->signals >= 0)
		close(load->signals);
	if (load->epoll_fd >= 0)
		close(load->epoll_fd);
}

uint64_t load_unresolved(const struct load *load)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < load->opened; i++)
		sum += load->clients[i].unresolved;
	return sum;
}

/* How many likes the phase may send at this moment. */
static uint64_t likes_due(const struct plan_phase *phase, uint64_t issued, int64_t elapsed)
{
	uint64_t until = phase->count ? phase->count : UINT64_MAX;
	if (phase->rate > 0) {
		const uint64_t now = (uint64_t)ceil((double)elapsed * phase->rate / (double)NS_PER_S);
		until = now < until ? now : until;
	}
	return until > issued ? until - issued : 0;
}

/* One client's turn: sends up to count likes of the phase. */
static int send_run(struct load *load, struct client *client, uint64_t count, uint64_t *sent)
{
	const struct plan_phase *phase = &load->plan->phases[load->phase];
	struct phase_report *report = &load->phases[load->phase];
	*sent = 0;
	while (*sent < count) {
		const double spacing = phase->rate > 0 ? (double)NS_PER_S / phase->rate : 0;
		const int64_t start = phase->rate > 0
					  ? report->started + (int64_t)((double)report->issued * spacing)
					  : clock_ns();
		const uint64_t most = phase->rate > 0 ? RUN_LIKES : CHUNK_LIKES;
		const uint32_t chunk = (uint32_t)(count - *sent < most ? count - *sent : most);
		uint32_t taken;
		const int r = client_send(client, chunk, load->plan->window, start, spacing, &taken);
		*sent += taken;
		report->issued += taken;
		if (r != KUDOS_OK)
			return fail(load, r, client->carrier ? client->carrier->handle : client->handle);
		if (taken < chunk)
			break;
	}
	return KUDOS_OK;
}

/* One client's turn: lets the handle work when there is anything for it to do, then sends its part. */
static int give_turn(struct load *load, struct client *client, uint64_t count, uint64_t *sent)
{
	*sent = 0;
	if (client->ready) {
		client->stirred = true;
		client->ready = false;
		const int r = kudos_process(client->handle, 0);
		if (r != KUDOS_OK)
			return fail(load, r, client->handle);
	}
	if (count == 0)
		return KUDOS_OK;
	const int r = send_run(load, client, count, sent);
	client->stirred = client->stirred || *sent > 0;
	return r;
}

static int work_carriers(struct load *load)
{
	for (unsigned i = 0; i < load->carrier_count; i++) {
		struct carrier *carrier = &load->carriers[i];
		if (!carrier->ready)
			continue;
		carrier->stirred = true;
		carrier->ready = false;
		const int r = carrier_work(carrier);
		if (r != KUDOS_OK)
			return fail(load, r, carrier->handle);
	}
	return KUDOS_OK;
}

/* Gives every client a turn with its part of what is due. *moved: whether anything was sent or answered. */
static int give_turns(struct load *load, uint64_t due, bool *moved)
{
	const unsigned n = load->opened, first = load->turn;
	uint64_t share = due / n + (due % n != 0);
	const uint64_t before = load_unresolved(load);
	uint64_t total = 0;
	const int worked = work_carriers(load);
	if (worked != KUDOS_OK)
		return worked;
	if (share > RUN_LIKES)
		share = RUN_LIKES;
	if (share < CHUNK_LIKES) /* a few clients with some likes each rather than all with one */
		share = CHUNK_LIKES;
	for (unsigned i = 0; i < n; i++) {
		uint64_t sent;
		const int r =
		    give_turn(load, &load->clients[(first + i) % n], due < share ? due : share, &sent);
		if (r != KUDOS_OK)
			return r;
		load->turn = sent > 0 ? (first + i + 1) % n : load->turn;
		due -= sent;
		total += sent;
	}
	const uint64_t after = load_unresolved(load);
	if (after < before + total || after == 0)
		load->last_result = clock_ns();
	*moved = total > 0 || after < before + total;
	return KUDOS_OK;
}

/* When the handle wants to work. */
static int64_t wake_at(kudos *handle, int64_t now)
{
	const int ms = kudos_wait_ms(handle);
	return ms < 0 ? INT64_MAX : now + ms * NS_PER_MS;
}

/* Sleeps until something arrives, a handle wants to work, or the time has come, and notes which handles are
 * ready. A handle at rest is neither asked nor called: with many clients that would be most of the work, and
 * this program would take from the servers the processor that it measures them on. */
static void wait_until(struct load *load, int64_t until)
{
	int64_t now = clock_ns();
	for (unsigned i = 0; i < load->opened; i++) {
		struct client *client = &load->clients[i];
		if (client->carrier)
			break;
		if (client->stirred)
			client->wake = wake_at(client->handle, now);
		client->stirred = false;
		until = earlier(until, client->wake);
	}
	for (unsigned i = 0; i < load->carrier_count; i++) {
		struct carrier *carrier = &load->carriers[i];
		if (carrier->stirred)
			carrier->wake = wake_at(carrier->handle, now);
		carrier->stirred = false;
		until = earlier(until, carrier->wake);
	}
	now = clock_ns();
	const int64_t rest = until > now ? until - now : 0;
	const struct timespec timeout = {.tv_sec = rest / NS_PER_S, .tv_nsec = rest % NS_PER_S};
	struct epoll_event events[READY];
	const int n = epoll_pwait2(load->epoll_fd, events, READY, &timeout, NULL);
	now = clock_ns();
	for (unsigned i = 0; i < load->opened && !load->clients[i].carrier; i++)
		load->clients[i].ready = load->clients[i].wake <= now;
	for (unsigned i = 0; i < load->carrier_count; i++)
		load->carriers[i].ready = load->carriers[i].wake <= now;
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			*(bool *)events[i].data.ptr = true;
	}
}

static void read_signals(struct load *load)
{
	struct signalfd_siginfo info;
	while (load->signals >= 0 && read(load->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (load->interrupts++ == 0)
			fprintf(stderr, "%skudos-load: interrupted; waiting for answers (again: at once)\n",
				load->progress ? "\n" : "");
	}
}

/* What both the phases and the waiting after them do between two turns. */
static void keep_house(struct load *load, int64_t now)
{
	read_signals(load);
	if (load->progress && now >= load->next_progress) {
		report_progress(load, now);
		load->next_progress = now + NS_PER_S;
	}
	if (now - load->last_result > load->settle)
		load->stalled = true;
}

/* When the phase next needs the loop, apart from what the handles want. */
static int64_t next_event(const struct load *load, int64_t now)
{
	const struct plan_phase *phase = &load->plan->phases[load->phase];
	const struct phase_report *report = &load->phases[load->phase];
	const int64_t step = steps_due(&load->steps, load->phase);
	int64_t at = earlier(load->next_progress, load->last_result + load->settle);
	if (at <= now)
		at = now + NS_PER_S;
	if (load->steps.pid != 0)
		at = earlier(at, now + STEP_POLL);
	else if (step >= 0)
		at = earlier(at, report->started + step);
	if (phase->duration && report->started + phase->duration > now)
		at = earlier(at, report->started + phase->duration);
	if (phase->rate > 0 && (!phase->count || report->issued < phase->count)) {
		const double spacing = (double)NS_PER_S / phase->rate;
		const int64_t due = report->started + (int64_t)((double)report->issued * spacing) + 1;
		/* A like that is due already waits for its turn, or for room in a client. */
		at = earlier(at, due > load->next_turn ? due : load->next_turn);
	}
	return at;
}

static int run_phase(struct load *load)
{
	const struct plan_phase *phase = &load->plan->phases[load->phase];
	struct phase_report *report = &load->phases[load->phase];
	report->started = clock_ns();
	for (unsigned i = 0; i < load->opened; i++)
		load->clients[i].tally = &report->tally;
	for (;;) {
		const int64_t now = clock_ns();
		int64_t elapsed = now - report->started;
		keep_house(load, now);
		steps_advance(&load->steps, load->phase, load->interrupts ? -1 : elapsed);
		const bool stepping = steps_due(&load->steps, load->phase) >= 0 && !load->interrupts;
		/* The load flows on, past its time, until the last step is done. */
		const bool late = phase->duration && elapsed >= phase->duration && !stepping;
		if (late)
			elapsed = phase->duration;
		const bool turn = phase->rate <= 0 || late || now >= load->next_turn;
		const uint64_t due = turn ? likes_due(phase, report->issued, elapsed) : 0;
		if (turn)
			load->next_turn = now + TURN;
		bool moved = false;
		const int r = give_turns(load, load->interrupts ? 0 : due, &moved);
		const bool spent = phase->count && report->issued >= phase->count && !stepping;
		if (r != KUDOS_OK)
			return r;
		if (late || spent || load->interrupts || (load->stalled && !stepping)) {
			report->unsent =
			    late && phase->rate > 0 ? likes_due(phase, report->issued, elapsed) : 0;
			break;
		}
		if (stepping)
			load->stalled = false;
		wait_until(load, moved && phase->rate <= 0 ? now : next_event(load, now));
	}
	report->ended = clock_ns();
	return KUDOS_OK;
}

static int drain(struct load *load)
{
	while (load_unresolved(load) > 0 && !load->stalled && load->interrupts < 2) {
		bool moved = false;
		const int64_t now = clock_ns();
		keep_house(load, now);
		const int r = give_turns(load, 0, &moved);
		if (r != KUDOS_OK)
			return r;
		if (!moved)
			wait_until(load,
				   earlier(now + NS_PER_S, load->last_result + load->settle + NS_PER_MS));
	}
	/* The last phase lasts until its last answer. */
	if (load->last_result > load->phases[load->phase].ended)
		load->phases[load->phase].ended = load->last_result;
	return KUDOS_OK;
}

int load_run(struct load *load)
{
	int r = KUDOS_OK;
	load->last_result = clock_ns();
	load->next_progress = load->last_result + NS_PER_S;
	for (unsigned i = 0; r == KUDOS_OK && i < load->plan->phase_count; i++) {
		if (load->interrupts || load->stalled)
			break;
		load->phase = i;
		r = run_phase(load);
	}
	steps_finish(&load->steps);
	if (r == KUDOS_OK)
		r = drain(load);
	if (load->progress)
		report_progress_end();
	return r;
}
