/* SPDX-License-Identifier: MIT */
#include "round.h"

#include <stdlib.h>
#include <string.h>

#include "gateway.h"

#define PATIENCE 1000 /* ms for the status, and as long for all who are asked then */

/* ---- what is told ---- */

static void print_labels(FILE *out, const struct target *t)
{
	if (t->is_leader) {
		exposition_label(out, true, "leader", t->endpoint);
		return;
	}
	exposition_label(out, true, "server", t->name);
	exposition_label(out, false, "node", t->node);
}

static void print_sample(FILE *out, const char *name, const char *suffix, const struct target *t,
			 const char *label, const char *of, double value)
{
	fprintf(out, "%s%s{", name, suffix);
	print_labels(out, t);
	if (*of)
		exposition_label(out, false, label, of);
	fprintf(out, "} %.17g\n", value);
}

static void print_histogram(FILE *out, const char *name, const struct target *t, const struct kudos_metric *m)
{
	double all = 0;
	for (size_t i = 0; i < m->count; i++) {
		const struct kudos_sample *s = &m->samples[i];
		print_sample(out, name, *s->of ? "_bucket" : "_sum", t, m->label, s->of, s->value);
		if (*s->of)
			all = s->value; /* the last bound is that of all */
	}
	print_sample(out, name, "_count", t, "", "", all);
}

static void print_metric(struct exposition *e, const struct target *t, const struct kudos_metric *m)
{
	char name[128];
	snprintf(name, sizeof name, "kudos_%s_%s", t->is_leader ? "leader" : "server", m->name);
	FILE *out = exposition_family(e, name, m->type, m->help);
	if (out && strcmp(m->type, "histogram") == 0) {
		print_histogram(out, name, t, m);
		return;
	}
	for (size_t i = 0; out && i < m->count; i++)
		print_sample(out, name, "", t, m->label, m->samples[i].of, m->samples[i].value);
}

static void on_metrics(void *arg, uint64_t id, int error, const struct kudos_metric *metrics, size_t n)
{
	struct asked *a = arg;
	(void)id;
	a->over = true;
	a->target->answered = error == KUDOS_OK;
	for (size_t i = 0; a->target->answered && i < n; i++)
		print_metric(&a->round->told, a->target, &metrics[i]);
}

static void print_number(struct round *r, const char *name, const char *help, double value)
{
	FILE *out = exposition_family(&r->told, name, "gauge", help);
	if (out)
		fprintf(out, "%s %.17g\n", name, value);
}

static void print_states(struct round *r)
{
	static const char name[] = "kudos_server_state";
	static const char *const states[] = {"up", "catching-up", "down"};
	FILE *out = exposition_family(&r->told, name, "gauge", "1 for the state that a server is in.");
	for (size_t i = 0; out && i < r->known->server_count; i++) {
		const struct kudos_server_status *s = &r->known->servers[i];
		const struct target t = {.name = s->name, .node = s->node};
		for (size_t j = 0; j < sizeof states / sizeof *states; j++)
			print_sample(out, name, "", &t, "state", states[j], strcmp(s->state, states[j]) == 0);
	}
}

static void print_reached(struct round *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct target *t = &r->targets[i];
		const char *name = t->is_leader ? "kudos_leader_reachable" : "kudos_server_reachable";
		FILE *out = exposition_family(&r->told, name, "gauge", "Whether it has told its metrics.");
		if (out)
			print_sample(out, name, "", t, "", "", t->answered);
	}
}

static void print_status(struct round *r)
{
	print_number(r, "kudos_cluster_reachable", "Whether the cluster has told its status.", r->fresh);
	if (!r->fresh)
		return;
	if (*r->known->leader_endpoint)
		print_number(r, "kudos_cluster_members", "Members that the leader knows.",
			     (double)r->known->members);
	print_states(r);
}

/* ---- asking ---- */

static void end_asked(struct asked *a)
{
	kudos_close(&a->handle);
	a->target = NULL;
}

static bool ask(struct round *r, struct asked *a, struct target *t)
{
	uint64_t id;
	const struct kudos_options how = {.leaders = t->is_leader ? t->endpoint : NULL,
					  .server = t->is_leader ? NULL : t->endpoint,
					  .share = r->shared,
					  .on_metrics = on_metrics,
					  .arg = a};
	*a = (struct asked){.round = r, .target = t};
	if (kudos_open(&a->handle, &how) == KUDOS_OK && kudos_ask_metrics(a->handle, &id) == KUDOS_OK)
		return true;
	end_asked(a);
	return false;
}

/* Those that are known, whether the leader has told it now or before: a server goes on without it. */
static int choose_targets(struct round *r)
{
	size_t servers = r->known ? r->known->server_count : 0;
	r->count = r->next = 0;
	struct target *targets = realloc(r->targets, (r->leader_count + servers + 1) * sizeof *targets);
	if (!targets)
		return KUDOS_NO_MEMORY;
	r->targets = targets;
	const char *leader = r->leaders;
	for (size_t i = 0; i < r->leader_count; i++, leader += strlen(leader) + 1)
		targets[r->count++] = (struct target){.is_leader = true, .endpoint = leader};
	for (size_t i = 0; i < servers; i++) {
		const struct kudos_server_status *s = &r->known->servers[i];
		targets[r->count++] = (struct target){.is_down = r->fresh && strcmp(s->state, "down") == 0,
						      .endpoint = s->client_endpoint,
						      .name = s->name,
						      .node = s->node};
	}
	return KUDOS_OK;
}

static void begin_asking(struct round *r, int64_t now)
{
	r->asking = true;
	r->until = now + r->patience;
	print_status(r);
	choose_targets(r); /* without memory: none */
}

static void on_status(struct question *q, int error, const struct kudos_status *status)
{
	struct round *r = (struct round *)((char *)q - offsetof(struct round, question));
	size_t size = error ? 0 : sizeof *status + status->server_count * sizeof status->servers[0];
	struct kudos_status *copy = size ? malloc(size) : NULL;
	if (copy) {
		memcpy(copy, status, size);
		free(r->known);
		r->known = copy;
		r->fresh = true;
	}
	begin_asking(r, gateway_now());
}

static void finish(struct round *r)
{
	for (size_t i = 0; i < ROUND_HANDLES; i++)
		end_asked(&r->asked[i]);
	print_reached(r);
	r->until = 0;
	r->asking = false;
	while (r->guests) {
		struct round_guest *g = r->guests;
		r->guests = g->next;
		g->waits = false;
		g->told(g, &r->told);
	}
	exposition_deinit(&r->told);
}

/* Whether somebody is still being asked, or to be asked. */
static bool go_on(struct round *r)
{
	bool busy = false;
	for (size_t i = 0; i < ROUND_HANDLES; i++) {
		struct asked *a = &r->asked[i];
		if (a->target && (kudos_process(a->handle, 0) != KUDOS_OK || a->over))
			end_asked(a);
		while (!a->target && r->next < r->count) {
			struct target *t = &r->targets[r->next++];
			if (!t->is_down && ask(r, a, t))
				kudos_process(a->handle, 0);
		}
		busy = busy || a->target;
	}
	return busy;
}

void round_process(struct round *r, int64_t now)
{
	if (r->until && !r->asking && now >= r->until) {
		questions_withdraw(r->questions, &r->question);
		begin_asking(r, now);
	}
	if (r->asking && (!go_on(r) || now >= r->until))
		finish(r);
}

int round_join(struct round *r, struct round_guest *g)
{
	if (!r->until) {
		r->question = (struct question){.status = on_status};
		if (questions_add(r->questions, &r->question) != KUDOS_OK)
			return KUDOS_NO_MEMORY;
		r->fresh = false;
		r->until = gateway_now() + r->patience;
	}
	g->waits = true;
	g->next = r->guests;
	r->guests = g;
	return KUDOS_OK;
}

void round_leave(struct round *r, struct round_guest *g)
{
	if (!g->waits)
		return;
	struct round_guest **at = &r->guests;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	g->waits = false;
}

int64_t round_deadline(struct round *r, int64_t now)
{
	int64_t at = r->until ? r->until : NEVER;
	for (size_t i = 0; i < ROUND_HANDLES; i++) {
		int ms = r->asked[i].target ? kudos_wait_ms(r->asked[i].handle) : -1;
		if (ms >= 0 && now + ms < at)
			at = now + ms;
	}
	return at;
}

nfds_t round_fds(const struct round *r, struct pollfd *fds)
{
	nfds_t count = 0;
	for (size_t i = 0; i < ROUND_HANDLES; i++) {
		if (r->asked[i].target)
			fds[count++] = (struct pollfd){.fd = kudos_fd(r->asked[i].handle), .events = POLLIN};
	}
	return count;
}

/* ---- its life ---- */

bool round_init(struct round *r, kudos *shared, struct questions *questions, const struct options *options)
{
	*r = (struct round){.shared = shared, .questions = questions, .patience = PATIENCE};
	if (r->patience > options->timeout_ms / 3)
		r->patience = options->timeout_ms / 3; /* who asked must hear of it in time */
	exposition_init(&r->told);
	if (options->server)
		return true;
	r->leaders = strdup(options->leaders ? options->leaders : KUDOS_DEFAULT_LEADER);
	if (!r->leaders)
		return false;
	r->leader_count = 1;
	for (char *at = r->leaders; (at = strchr(at, ',')); r->leader_count++)
		*at++ = '\0';
	return true;
}

void round_deinit(struct round *r)
{
	for (size_t i = 0; i < ROUND_HANDLES; i++)
		end_asked(&r->asked[i]);
	exposition_deinit(&r->told);
	free(r->targets);
	free(r->known);
	free(r->leaders);
}
