/* SPDX-License-Identifier: MIT */
/* The block: [struct kudos_metric …] [struct kudos_sample …] [strings, each with its NUL …] */
#include "client/measured.h"

#include <stdlib.h>
#include <string.h>

static const char *const types[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

/* A NUL in it, of a help, ends it. */
static const char *put(char **at, struct text text)
{
	char *begin = *at;
	memcpy(begin, text.data, text.size);
	begin[text.size] = '\0';
	*at += text.size + 1;
	return begin;
}

/* Of a histogram the sum alone. */
static double value_of(const struct metric *m, const struct metric_sample *s)
{
	bool divided = m->type != METRIC_HISTOGRAM || s->of.size == 0;
	return (double)s->value / (divided ? (double)m->per : 1);
}

struct kudos_metric *measured_copy(const struct message *m)
{
	size_t count = m->measured.count, samples = 0, bytes = 0;
	for (size_t i = 0; i < count; i++) {
		const struct metric *metric = &m->measured.metrics[i];
		samples += metric->count;
		bytes += metric->name.size + metric->help.size + metric->label.size + 3;
		for (size_t j = 0; j < metric->count; j++)
			bytes += metric->samples[j].of.size + 1;
	}
	struct kudos_metric *out =
	    malloc(count * sizeof *out + samples * sizeof(struct kudos_sample) + bytes + 1);
	if (!out)
		return NULL;
	struct kudos_sample *sample = (struct kudos_sample *)&out[count];
	char *at = (char *)&sample[samples];
	for (size_t i = 0; i < count; i++) {
		const struct metric *metric = &m->measured.metrics[i];
		out[i] = (struct kudos_metric){.type = types[metric->type], .samples = sample};
		out[i].name = put(&at, metric->name);
		out[i].help = put(&at, metric->help);
		out[i].label = put(&at, metric->label);
		out[i].count = metric->count;
		for (size_t j = 0; j < metric->count; j++) {
			const struct metric_sample *s = &metric->samples[j];
			const char *of = put(&at, s->of);
			*sample++ = (struct kudos_sample){of, value_of(metric, s)};
		}
	}
	return out;
}
