/* SPDX-License-Identifier: MIT */
/* What a server has written to its journal since its start: {"commits": …, "bytes": …}.
 *
 *	commits ENDPOINT
 */
#include <kudos.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "samples.h"

#define STEP_MS 100
#define PATIENCE_NS (5 * NS_PER_S)

struct told {
	bool done;
	double commits, bytes;
};

static void on_metrics(void *arg, uint64_t id, int error, const struct kudos_metric *metrics, size_t n)
{
	struct told *told = arg;
	(void)id;
	if (error != KUDOS_OK)
		give_up("metrics", kudos_error_text(error));
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < metrics[i].count; j++) {
			const struct kudos_sample *sample = &metrics[i].samples[j];
			if (strcmp(metrics[i].name, "journal_written_bytes_total") == 0)
				told->bytes = sample->value;
			else if (strcmp(metrics[i].name, "commit_duration_seconds") == 0 &&
				 strcmp(sample->of, "+Inf") == 0)
				told->commits = sample->value;
		}
	}
	told->done = true;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s ENDPOINT\n", argv[0]);
		return 2;
	}
	struct told told = {0};
	const struct kudos_options options = {.server = argv[1], .on_metrics = on_metrics, .arg = &told};
	kudos *handle;
	uint64_t id;
	if (kudos_open(&handle, &options) != KUDOS_OK || kudos_ask_metrics(handle, &id) != KUDOS_OK)
		give_up(argv[1], "cannot be asked");
	for (const int64_t end = clock_ns() + PATIENCE_NS; !told.done;) {
		kudos_process(handle, STEP_MS);
		if (clock_ns() > end)
			give_up(argv[1], "no answer");
	}
	printf("{\"commits\": %.0f, \"bytes\": %.0f}\n", told.commits, told.bytes);
	kudos_close(&handle);
	return 0;
}
