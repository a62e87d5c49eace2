/* SPDX-License-Identifier: MIT */
/* GET /metrics: in Prometheus' text format, what this gateway has done and holds, and what the cluster's
 * status says of each server. While the cluster does not answer, the gateway's own are told without it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"
#include "routes.h"

struct scrape {
	struct question question;
	struct exchange *exchange;
};

/* Name, type and help of a family; its samples follow. */
static void family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(FILE *out, const char *name, const char *type, const char *help, double value)
{
	family(out, name, type, help);
	fprintf(out, "%s %.17g\n", name, value);
}

static void print_requests(FILE *out, const struct tally *t)
{
	family(out, "kudos_gateway_requests_total", "counter", "Requests that were answered.");
	for (size_t i = 0; i < TALLY_ROUTES; i++) {
		const struct route *r = i < TALLY_ROUTES - 1 ? &routes()[i] : NULL;
		for (unsigned s = 0; t->routes[i].count && s < TALLY_STATUSES; s++) {
			if (t->routes[i].statuses[s])
				fprintf(
				    out,
				    "kudos_gateway_requests_total{method=\"%s\",route=\"%s\",code=\"%u\"} "
				    "%" PRIu64 "\n",
				    r ? r->method : "", r ? r->path : "", s + 100, t->routes[i].statuses[s]);
		}
	}
}

static void print_histogram(FILE *out, const struct tally_route *t, const char *method, const char *route)
{
	static const char *const name = "kudos_gateway_request_duration_seconds";
	uint64_t below = 0;
	for (size_t i = 0; i < TALLY_BUCKETS; i++) {
		below += t->buckets[i];
		fprintf(out, "%s_bucket{method=\"%s\",route=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, method,
			route, tally_bounds[i], below);
	}
	fprintf(out, "%s_bucket{method=\"%s\",route=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, method, route,
		t->count);
	fprintf(out, "%s_sum{method=\"%s\",route=\"%s\"} %.17g\n", name, method, route, t->seconds);
	fprintf(out, "%s_count{method=\"%s\",route=\"%s\"} %" PRIu64 "\n", name, method, route, t->count);
}

static void print_durations(FILE *out, const struct tally *t)
{
	family(out, "kudos_gateway_request_duration_seconds", "histogram",
	       "From a request's head to the beginning of its answer.");
	for (size_t i = 0; i < TALLY_ROUTES; i++) {
		const struct route *r = i < TALLY_ROUTES - 1 ? &routes()[i] : NULL;
		if (t->routes[i].count)
			print_histogram(out, &t->routes[i], r ? r->method : "", r ? r->path : "");
	}
}

static double resident_bytes(void)
{
	char line[128] = "";
	FILE *file = fopen("/proc/self/statm", "re");
	bool told = file && fgets(line, sizeof line, file);
	if (file)
		fclose(file);
	unsigned long long pages = told ? strtoull(line + strcspn(line, " "), NULL, 10) : 0;
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void print_own(FILE *out, const struct gateway *g)
{
	struct timespec cpu;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	family(out, "kudos_gateway_info", "gauge", "Always 1; the version is a label.");
	fprintf(out, "kudos_gateway_info{version=\"%s\"} 1\n", KUDOS_VERSION);
	print_requests(out, &g->http.tally);
	print_durations(out, &g->http.tally);
	family(out, "kudos_gateway_likes_total", "counter",
	       "Events of POST /v1/likes, by what became of them.");
	fprintf(out,
		"kudos_gateway_likes_total{result=\"acknowledged\"} %" PRIu64
		"\nkudos_gateway_likes_total{result=\"refused\"} %" PRIu64
		"\nkudos_gateway_likes_total{result=\"in-doubt\"} %" PRIu64 "\n",
		g->likes.acknowledged, g->likes.refused, g->likes.in_doubt);
	number(out, "kudos_gateway_batches_total", "counter", "Batches that were put and are counted.",
	       (double)g->sessions.batches);
	number(out, "kudos_gateway_sessions_total", "counter", "Sessions that were opened.",
	       (double)g->sessions.opened);
	family(out, "kudos_gateway_turned_away_total", "counter",
	       "Requests and connections refused at the door.");
	fprintf(out,
		"kudos_gateway_turned_away_total{reason=\"rate\"} %" PRIu64
		"\nkudos_gateway_turned_away_total{reason=\"token\"} %" PRIu64
		"\nkudos_gateway_turned_away_total{reason=\"origin\"} %" PRIu64
		"\nkudos_gateway_turned_away_total{reason=\"connections\"} %" PRIu64
		"\nkudos_gateway_turned_away_total{reason=\"slow\"} %" PRIu64 "\n",
		g->door.refused_rate, g->door.refused_token, g->door.refused_origin,
		g->door.refused_connections, g->http.visits.ended);
	number(out, "kudos_gateway_connections", "gauge", "Open connections.", (double)g->http.visits.count);
	number(out, "kudos_gateway_streams", "gauge", "Connections that watch.",
	       (double)g->http.streams.count);
	number(out, "kudos_gateway_waiting_requests", "gauge", "Requests that are not answered yet.",
	       (double)g->http.waiting.count);
	number(out, "kudos_gateway_watched_keys", "gauge", "Keys that are watched.",
	       (double)g->hub.key_count);
	number(out, "process_cpu_seconds_total", "counter", "Processor time.",
	       (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
	number(out, "process_resident_memory_bytes", "gauge", "Memory.", resident_bytes());
}

/* One family of all servers; a name may have any printable ASCII in it. */
static void label(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void sample(FILE *out, const char *name, const struct kudos_server_status *s, const char *state,
		   double value)
{
	fprintf(out, "%s{server=\"", name);
	label(out, s->name);
	fprintf(out, "\",node=\"%s\"", s->node);
	if (state)
		fprintf(out, ",state=\"%s\"", state);
	fprintf(out, "} %.17g\n", value);
}

static void print_states(FILE *out, const struct kudos_status *status)
{
	static const char *const states[] = {"up", "catching-up", "down"};
	family(out, "kudos_server_state", "gauge", "1 for the state that a server is in.");
	for (size_t i = 0; i < status->server_count; i++) {
		const struct kudos_server_status *s = &status->servers[i];
		for (size_t j = 0; j < sizeof states / sizeof *states; j++)
			sample(out, "kudos_server_state", s, states[j], strcmp(s->state, states[j]) == 0);
	}
}

/* Signed where it may be: unlikes. */
static double value_of(const struct kudos_server_status *s, size_t which)
{
	const double values[] = {(double)s->clients,	  (double)s->keys,	  (double)s->likes_total,
				 (double)s->events_per_s, (double)s->lag_records, (double)s->journal_bytes,
				 (double)s->malformed};
	return values[which];
}

static void print_cluster(FILE *out, const struct kudos_status *status)
{
	static const struct {
		const char *name, *type, *help;
	} families[] = {
	    {"kudos_server_clients", "gauge", "Clients, heard within ten seconds."},
	    {"kudos_server_keys", "gauge", "Keys that have been liked."},
	    {"kudos_server_likes", "gauge", "Sum of all counts. Unlikes make it less."},
	    {"kudos_server_events_per_second", "gauge", "Events applied a second, of all servers' clients."},
	    {"kudos_server_lag_records", "gauge",
	     "Records that others have and this server has not applied."},
	    {"kudos_server_journal_bytes", "gauge", "Journal on disk."},
	    {"kudos_server_malformed_total", "counter",
	     "Messages not of the protocol, and connections ended that did not read."},
	};
	number(out, "kudos_cluster_reachable", "gauge", "Whether the cluster has told its status.",
	       status != NULL);
	if (!status)
		return;
	if (*status->leader_endpoint)
		number(out, "kudos_cluster_members", "gauge", "Members that the leader knows.",
		       (double)status->members);
	print_states(out, status);
	for (size_t f = 0; status->server_count && f < sizeof families / sizeof *families; f++) {
		family(out, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0; i < status->server_count; i++)
			sample(out, families[f].name, &status->servers[i], NULL,
			       value_of(&status->servers[i], f));
	}
}

static void answer(struct exchange *x, const struct kudos_status *status)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (out) {
		print_own(out, x->gateway);
		print_cluster(out, status);
	}
	if (!out || fclose(out) != 0) {
		free(text);
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
		return;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					"text/plain; version=0.0.4; charset=utf-8");
	else
		free(text);
	exchange_answer(x, MHD_HTTP_OK, response);
}

static void tell(struct question *q, int error, const struct kudos_status *status)
{
	answer(((struct scrape *)q)->exchange, error ? NULL : status);
}

/* Nobody tells it any more. */
static void late(struct exchange *x)
{
	metrics_end(x);
	x->work = NULL;
	answer(x, NULL);
}

void metrics_end(struct exchange *x)
{
	struct scrape *s = x->work;
	if (s)
		questions_withdraw(&x->gateway->questions, &s->question);
	free(s);
}

void metrics_run(struct exchange *x)
{
	struct scrape *s = calloc(1, sizeof *s);
	x->work = s;
	x->late = late;
	if (s) {
		s->exchange = x;
		s->question.status = tell;
	}
	if (!s || questions_add(&x->gateway->questions, &s->question) != KUDOS_OK)
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
}
