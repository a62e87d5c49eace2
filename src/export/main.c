/* SPDX-License-Identifier: MIT */
/* kudos-export: what a server keeps, for others to read. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "export/counts.h"
#include "export/records.h"
#include "export/stream.h"

int main(int argc, char **argv)
{
	struct options options;
	struct output out;
	char error[512] = "";
	int64_t likes = 0;
	options_parse(&options, argc, argv);
	log_init("kudos-export", false);
	signal(SIGPIPE, SIG_IGN);
	output_init(&out, options.records ? "records" : "keys");
	int r = options.journal	  ? export_stream(&options, &out, error, sizeof error)
		: options.records ? export_records(&options, &out, error, sizeof error)
				  : export_counts(&options, &out, &likes, error, sizeof error);
	uint64_t lines = out.lines;
	output_deinit(&out);
	if (r == -EPIPE) /* whoever reads has enough */
		return EXIT_SUCCESS;
	if (r < 0) {
		fprintf(stderr, "kudos-export: %s\n", *error ? error : strerror(-r));
		return EXIT_FAILURE;
	}
	if (options.records)
		fprintf(stderr, "kudos-export: %" PRIu64 " records\n", lines);
	else
		fprintf(stderr, "kudos-export: %" PRIu64 " keys, %" PRId64 " likes\n", lines, likes);
	return EXIT_SUCCESS;
}
