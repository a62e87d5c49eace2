/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static const struct {
	const char *name;
	double share;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}};

#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

struct total {
	struct tally tally;
	uint64_t unsent, unanswered;
	double seconds;
};

static double seconds_of(const struct phase_report *report)
{
	return report->ended > report->started ? (double)(report->ended - report->started) / (double)NS_PER_S
					       : 0;
}

static double rate_of(uint64_t likes, double seconds)
{
	return seconds > 0 ? (double)likes / seconds : 0;
}

static bool reached(const struct load *load, size_t phase)
{
	return load->phases[phase].started != 0;
}

/* Too big for the stack with its histogram; to be freed. NULL: out of memory. */
static struct total *sum_up(const struct load *load)
{
	struct total *total = calloc(1, sizeof(*total));
	uint64_t issued = 0;
	if (!total)
		return NULL;
	for (size_t i = 0; i < load->plan->phase_count; i++) {
		const struct phase_report *report = &load->phases[i];
		total->tally.acknowledged += report->tally.acknowledged;
		total->tally.in_doubt += report->tally.in_doubt;
		total->tally.refused += report->tally.refused;
		histogram_merge(&total->tally.latency, &report->tally.latency);
		total->unsent += report->unsent;
		issued += report->issued;
		if (reached(load, i))
			total->seconds = (double)(report->ended - load->phases[0].started) / (double)NS_PER_S;
	}
	total->unanswered = issued - total->tally.acknowledged - total->tally.in_doubt - total->tally.refused;
	return total;
}

void report_progress(struct load *load, int64_t now)
{
	const struct phase_report *report = &load->phases[load->phase];
	const struct steps *steps = &load->steps;
	uint64_t acknowledged = 0;
	for (unsigned i = 0; i <= load->phase; i++)
		acknowledged += load->phases[i].tally.acknowledged;
	fprintf(stderr, "\r%s %.0f s: %llu likes, %llu/s, %llu in flight, p99 %.1f ms",
		load->plan->phases[load->phase].name, (double)(now - report->started) / (double)NS_PER_S,
		(unsigned long long)acknowledged, (unsigned long long)(acknowledged - load->shown),
		(unsigned long long)load_unresolved(load),
		(double)histogram_at(&report->tally.latency, 0.99) / 1e6);
	if (steps->pid != 0)
		fprintf(stderr, ", %s %s", load->plan->steps[steps->next].verb,
			load->plan->steps[steps->next].name);
	fputs("\033[K", stderr);
	fflush(stderr);
	load->shown = acknowledged;
}

void report_progress_end(void)
{
	fputs("\r\033[K", stderr);
}

static void print_latency(const struct histogram *latency)
{
	for (size_t i = 0; i < PERCENTILES; i++)
		printf("%s%s %.2f", i ? "  " : "", i == 3 ? "p99.9" : percentiles[i].name,
		       (double)histogram_at(latency, percentiles[i].share) / 1e6);
	printf("  max %.2f ms\n", (double)latency->max / 1e6);
}

static void print_phases(const struct load *load)
{
	for (size_t i = 0; i < load->plan->phase_count; i++) {
		const struct phase_report *report = &load->phases[i];
		if (!reached(load, i))
			continue;
		printf("phase %-12s %7.1f s  %10llu likes  %9.0f/s  ", load->plan->phases[i].name,
		       seconds_of(report), (unsigned long long)report->tally.acknowledged,
		       rate_of(report->tally.acknowledged, seconds_of(report)));
		print_latency(&report->tally.latency);
	}
	for (size_t i = 0; i < load->steps.next; i++) {
		const struct plan_step *step = &load->plan->steps[i];
		const struct step_report *report = &load->steps.reports[i];
		printf("step  %s%s%s at %.1f s, took %.1f s%s\n", step->verb, step->name[0] ? " " : "",
		       step->name, (double)(report->started - load->phases[0].started) / (double)NS_PER_S,
		       (double)(report->ended - report->started) / (double)NS_PER_S,
		       report->status ? ", FAILED" : "");
	}
}

static void print_check(const struct check *check, bool doubt)
{
	if (check->ok) {
		printf("check         %zu servers hold exactly what was acknowledged%s, on %llu keys\n",
		       check->servers, doubt ? " and some of what is in doubt" : "",
		       (unsigned long long)check->keys);
		return;
	}
	printf("check         FAILED after %.1f s: %s\n", (double)check->took / (double)NS_PER_S,
	       check->problem[0] ? check->problem : "counts are not what was acknowledged");
	for (size_t i = 0; i < CHECK_SHOWN && i < check->differences; i++) {
		const struct check_difference *d = &check->shown[i];
		printf("  %s on %s: expected %lld", d->key, d->server, (long long)d->low);
		if (d->high > d->low)
			printf(" to %lld, on all servers the same", (long long)d->high);
		printf("; found %lld\n", (long long)d->found);
	}
	if (check->differences > CHECK_SHOWN)
		printf("  and %llu more\n", (unsigned long long)check->differences - CHECK_SHOWN);
}

static void print_plan(const struct plan *plan)
{
	printf("load          %u clients, %u keys %skey:0 … %skey:%u, ", plan->clients, plan->keys,
	       plan->prefix, plan->prefix, plan->keys - 1);
	if (plan->zipf > 0)
		printf("zipf %g", plan->zipf);
	else
		printf("uniform");
	printf(", seed %llu\n", (unsigned long long)plan->seed);
}

bool report_text(const struct load *load, const struct check *check, bool ok)
{
	struct total *total = sum_up(load);
	if (!total)
		return false;
	print_plan(load->plan);
	if (load->plan->phase_count > 1 || load->plan->step_count > 0)
		print_phases(load);
	printf("acknowledged  %llu likes in %.2f s: %.0f likes/s\n",
	       (unsigned long long)total->tally.acknowledged, total->seconds,
	       rate_of(total->tally.acknowledged, total->seconds));
	printf("latency       ");
	print_latency(&total->tally.latency);
	printf("in doubt      %llu", (unsigned long long)(total->tally.in_doubt + total->unanswered));
	if (total->unanswered)
		printf(" (%llu of them without any answer%s)", (unsigned long long)total->unanswered,
		       load->stalled ? ": the cluster fell silent" : "");
	printf("\nrefused       %llu", (unsigned long long)total->tally.refused);
	for (unsigned i = 0; total->tally.refused && i < load->plan->clients; i++) {
		if (load->clients[i].refusal) {
			printf(" (such as: %s)", kudos_error_text(load->clients[i].refusal));
			break;
		}
	}
	putchar('\n');
	if (total->unsent)
		printf("unsent        %llu likes were due, but the cluster did not keep up\n",
		       (unsigned long long)total->unsent);
	if (check)
		print_check(check, total->tally.in_doubt + total->unanswered > 0);
	else
		printf("check         none\n");
	printf("%s\n", ok ? "ok" : "failed");
	free(total);
	return fflush(stdout) == 0 && !ferror(stdout);
}

static json_t *json_of_latency(const struct histogram *latency)
{
	json_t *object = json_object();
	for (size_t i = 0; i < PERCENTILES; i++)
		json_object_set_new(object, percentiles[i].name,
				    json_real((double)histogram_at(latency, percentiles[i].share) / 1e3));
	json_object_set_new(object, "max", json_real((double)latency->max / 1e3));
	return object;
}

static json_t *json_of_phases(const struct load *load)
{
	json_t *array = json_array();
	for (size_t i = 0; i < load->plan->phase_count; i++) {
		const struct plan_phase *phase = &load->plan->phases[i];
		const struct phase_report *report = &load->phases[i];
		if (!reached(load, i))
			continue;
		json_array_append_new(
		    array, json_pack("{s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "name",
				     phase->name, "rate", phase->rate, "duration_s", seconds_of(report),
				     "sent", (json_int_t)report->issued, "acknowledged",
				     (json_int_t)report->tally.acknowledged, "in_doubt",
				     (json_int_t)report->tally.in_doubt, "refused",
				     (json_int_t)report->tally.refused, "unsent", (json_int_t)report->unsent,
				     "likes_per_s", rate_of(report->tally.acknowledged, seconds_of(report)),
				     "latency_us", json_of_latency(&report->tally.latency)));
	}
	return array;
}

static json_t *json_of_steps(const struct load *load)
{
	json_t *array = json_array();
	for (size_t i = 0; i < load->steps.next; i++) {
		const struct plan_step *step = &load->plan->steps[i];
		const struct step_report *report = &load->steps.reports[i];
		json_array_append_new(
		    array,
		    json_pack("{s:s, s:s, s:f, s:f, s:i}", "verb", step->verb, "name", step->name, "at_s",
			      (double)(report->started - load->phases[0].started) / (double)NS_PER_S,
			      "took_s", (double)(report->ended - report->started) / (double)NS_PER_S,
			      "status", report->status));
	}
	return array;
}

static json_t *json_of_check(const struct check *check)
{
	if (!check)
		return json_null();
	json_t *array = json_array();
	for (size_t i = 0; i < CHECK_SHOWN && i < check->differences; i++) {
		const struct check_difference *d = &check->shown[i];
		json_array_append_new(array, json_pack("{s:s, s:s, s:I, s:I, s:I}", "key", d->key, "server",
						       d->server, "expected_low", (json_int_t)d->low,
						       "expected_high", (json_int_t)d->high, "found",
						       (json_int_t)d->found));
	}
	return json_pack("{s:b, s:i, s:I, s:I, s:f, s:s, s:o}", "ok", check->ok, "servers",
			 (int)check->servers, "keys", (json_int_t)check->keys, "differing",
			 (json_int_t)check->differences, "took_s", (double)check->took / (double)NS_PER_S,
			 "problem", check->problem, "first", array);
}

bool report_json(const struct load *load, const struct check *check, bool ok)
{
	const struct plan *plan = load->plan;
	struct total *total = sum_up(load);
	if (!total)
		return false;
	json_t *object = json_pack(
	    "{s:b, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:i, s:i, s:f, s:s, s:I, s:o, s:o}", "ok", ok,
	    "acknowledged", (json_int_t)total->tally.acknowledged, "in_doubt",
	    (json_int_t)(total->tally.in_doubt + total->unanswered), "refused",
	    (json_int_t)total->tally.refused, "unsent", (json_int_t)total->unsent, "duration_s",
	    total->seconds, "likes_per_s", rate_of(total->tally.acknowledged, total->seconds), "latency_us",
	    json_of_latency(&total->tally.latency), "check", json_of_check(check), "clients",
	    (int)plan->clients, "keys", (int)plan->keys, "zipf", plan->zipf, "prefix", plan->prefix, "seed",
	    (json_int_t)plan->seed, "phases", json_of_phases(load), "steps", json_of_steps(load));
	free(total);
	const bool written = object && json_dumpf(object, stdout, JSON_REAL_PRECISION(9)) == 0;
	json_decref(object);
	putchar('\n');
	return written && fflush(stdout) == 0 && !ferror(stdout);
}
