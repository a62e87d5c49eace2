/* SPDX-License-Identifier: MIT */
#include "wire/metric_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/usage.h"
#include "core/replica.h"
#include "kudos.h"

void metric_table_init(struct metric_table *t)
{
	t->count = t->sample_count = t->capacity = 0;
	t->samples = NULL;
	t->failed = false;
}

void metric_table_deinit(struct metric_table *t)
{
	free(t->samples);
	metric_table_init(t);
}

void metric_begin(struct metric_table *t, enum metric_type type, const char *name, const char *label,
		  const char *help)
{
	if (t->failed || t->count == LIMIT_METRICS) {
		t->failed = true;
		return;
	}
	t->firsts[t->count] = t->sample_count;
	t->metrics[t->count++] = (struct metric){.name = message_text(name),
						 .type = type,
						 .help = message_text(help),
						 .label = message_text(label),
						 .per = 1};
}

void metric_sample(struct metric_table *t, const char *of, int64_t value)
{
	struct metric *m = &t->metrics[t->count - 1];
	t->failed = t->failed || m->count == LIMIT_SAMPLES ||
		    array_reserve(&t->samples, t->sample_count + 1, &t->capacity, sizeof *t->samples) < 0;
	if (t->failed)
		return;
	t->samples[t->sample_count++] = (struct metric_sample){message_text(of), value};
	m->count++;
}

void metric_counter(struct metric_table *t, const char *name, const char *help, uint64_t value)
{
	metric_begin(t, METRIC_COUNTER, name, "", help);
	metric_sample(t, "", (int64_t)value);
}

void metric_gauge(struct metric_table *t, const char *name, const char *help, int64_t value)
{
	metric_begin(t, METRIC_GAUGE, name, "", help);
	metric_sample(t, "", value);
}

void metric_per(struct metric_table *t, uint64_t per)
{
	if (!t->failed)
		t->metrics[t->count - 1].per = per;
}

void metric_histogram(struct metric_table *t, const char *name, const char *help, uint64_t per,
		      const struct histogram *h)
{
	uint64_t below = 0;
	metric_begin(t, METRIC_HISTOGRAM, name, "le", help);
	metric_per(t, per);
	for (size_t i = 0; i <= h->bound_count; i++) {
		below += h->counts[i];
		metric_sample(t, i < h->bound_count ? h->bounds[i].text : "+Inf", (int64_t)below);
	}
	metric_sample(t, "", h->sum);
}

/* Else it is the client library's own (doc/protocol.md's table of codes). */
static bool may_be_sent(int code)
{
	switch (code) {
	case KUDOS_OK:
	case KUDOS_BAD_ENDPOINT:
	case KUDOS_BAD_SESSION:
	case KUDOS_BAD_NUMBER:
	case KUDOS_BAD_TOKEN:
	case KUDOS_NO_LEADER:
	case KUDOS_TIMEOUT:
	case KUDOS_IN_DOUBT:
	case KUDOS_BAD_CERTIFICATE:
		return false;
	default:
		return true;
	}
}

/* Those that have not been are there, too: a rate is only known of what was there before. */
void metric_by_code(struct metric_table *t, const char *name, const char *help, const uint64_t *counts)
{
	metric_begin(t, METRIC_COUNTER, name, "code", help);
	for (int code = 0; code < KUDOS_ERROR_COUNT; code++) {
		if (may_be_sent(code) || counts[code])
			metric_sample(t, kudos_error_code(code), (int64_t)counts[code]);
	}
}

void metric_by_type(struct metric_table *t, const char *name, const char *help, const uint64_t *counts)
{
	metric_begin(t, METRIC_COUNTER, name, "type", help);
	for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
		if (counts[type])
			metric_sample(t, message_type_name((enum message_type)type), (int64_t)counts[type]);
	}
}

void metric_process(struct metric_table *t)
{
	metric_begin(t, METRIC_GAUGE, "info", "version", "Always 1; the version is a label.");
	metric_sample(t, KUDOS_VERSION, 1);
	metric_gauge(t, "resident_memory_bytes", "Memory.", usage_memory());
	metric_counter(t, "cpu_seconds_total", "Processor time.", (uint64_t)usage_processor());
	metric_per(t, 1000000);
}

int metric_table_message(struct metric_table *t, uint64_t id, struct message *m)
{
	if (t->failed)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++)
		t->metrics[i].samples = t->samples + t->firsts[i];
	*m = (struct message){.type = MESSAGE_MEASURED, .measured = {id, t->metrics, t->count}};
	return 0;
}
