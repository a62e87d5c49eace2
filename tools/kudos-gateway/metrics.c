/* SPDX-License-Identifier: MIT */
/* GET /metrics: in Prometheus' text format, what this gateway has done and holds, and what the cluster tells
 * (round.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"
#include "routes.h"

struct scrape {
	struct round_guest guest;
	struct exchange *exchange;
};

static void number(FILE *out, const char *name, const char *type, const char *help, double value)
{
	exposition_head(out, name, type, help);
	fprintf(out, "%s %.17g\n", name, value);
}

static void print_requests(FILE *out, const struct tally *t)
{
	exposition_head(out, "kudos_gateway_requests_total", "counter", "Requests that were answered.");
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
	exposition_head(out, "kudos_gateway_request_duration_seconds", "histogram",
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
	exposition_head(out, "kudos_gateway_info", "gauge", "Always 1; the version is a label.");
	fprintf(out, "kudos_gateway_info{version=\"%s\"} 1\n", KUDOS_VERSION);
	print_requests(out, &g->http.tally);
	print_durations(out, &g->http.tally);
	exposition_head(out, "kudos_gateway_likes_total", "counter",
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
	exposition_head(out, "kudos_gateway_turned_away_total", "counter",
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

/* cluster: NULL when there was no time for it. */
static void answer(struct exchange *x, struct exposition *cluster)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (out) {
		print_own(out, x->gateway);
		if (cluster)
			exposition_write(cluster, out);
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

static void told(struct round_guest *g, struct exposition *cluster)
{
	answer(((struct scrape *)g)->exchange, cluster);
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
		round_leave(&x->gateway->round, &s->guest);
	free(s);
}

void metrics_run(struct exchange *x)
{
	struct scrape *s = calloc(1, sizeof *s);
	x->work = s;
	x->late = late;
	if (s) {
		s->exchange = x;
		s->guest.told = told;
	}
	if (!s || round_join(&x->gateway->round, &s->guest) != KUDOS_OK)
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
}
