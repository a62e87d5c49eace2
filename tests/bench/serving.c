/* SPDX-License-Identifier: MIT */
/* Waits until servers take likes, and prints how long that took: {"seconds": …}.
 *
 *	serving SECONDS ENDPOINT...	client endpoints; SECONDS: after that it gives up
 */
#include <kudos.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"

#define ASK_MS 50

/* A server's status names every member it knows: its own row is the one at its endpoint. */
static bool row_serves(const struct kudos_status *status, const char *endpoint)
{
	for (size_t i = 0; i < status->server_count; i++) {
		const struct kudos_server_status *row = &status->servers[i];
		if (strcmp(row->client_endpoint, endpoint) == 0)
			return strcmp(row->state, "up") == 0 && row->lag_records == 0;
	}
	return false;
}

/* A fresh handle each time: one that was refused waits before it tries again, and that would be measured. */
static bool serves(const char *endpoint)
{
	const struct kudos_options options = {.server = endpoint, .timeout_ms = ASK_MS};
	struct kudos_status *status = NULL;
	kudos *handle;
	bool up = false;
	if (kudos_open(&handle, &options) != KUDOS_OK)
		give_up(endpoint, "cannot be opened");
	if (kudos_status(handle, &status) == KUDOS_OK)
		up = row_serves(status, endpoint);
	free(status);
	if (!up)
		kudos_process(handle,
			      2); /* an answer may come at once, and it is not the processor's fault */
	kudos_close(&handle);
	return up;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: %s SECONDS ENDPOINT...\n", argv[0]);
		return 2;
	}
	const int64_t start = clock_ns(), limit = (int64_t)(positive(argv[1]) * (double)NS_PER_S);
	for (int i = 2; i < argc; i++) {
		while (!serves(argv[i])) {
			if (clock_ns() - start > limit)
				give_up(argv[i], "does not serve in time");
		}
	}
	printf("{\"seconds\": %.4f}\n", (double)(clock_ns() - start) / (double)NS_PER_S);
	return 0;
}
