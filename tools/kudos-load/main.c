/* SPDX-License-Identifier: MIT */
/* kudos-load: sends likes by many clients, and checks that every server counted each exactly once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kudos.h>

#include "check.h"
#include "keys.h"
#include "load.h"
#include "options.h"
#include "report.h"

#define EXIT_INTERRUPTED 130

static int complain(const kudos *handle, int error)
{
	const char *detail = kudos_detail(handle);
	fprintf(stderr, "kudos-load: %s\n", detail && detail[0] ? detail : kudos_error_text(error));
	return EXIT_FAILURE;
}

/* Whether the cluster is there, before anything is sent, and what it counts already. */
static int prepare(kudos *root, const struct options *options, struct keys *keys)
{
	struct kudos_status *status = NULL;
	int r = kudos_status(root, &status);
	if (r != KUDOS_OK)
		return r;
	free(status);
	return options->no_check ? KUDOS_OK : check_before(root, keys);
}

static bool any_refused(const struct load *load)
{
	for (size_t i = 0; i < load->plan->phase_count; i++) {
		if (load->phases[i].tally.refused > 0)
			return true;
	}
	return false;
}

/* After the load: compares, and tells. The exit status. */
static int conclude(struct load *load, kudos *root, const struct options *options)
{
	struct check *check = options->no_check ? NULL : calloc(1, sizeof(*check));
	if (!options->no_check && !check)
		return complain(NULL, KUDOS_NO_MEMORY);
	/* Closed first: while a handle lives it retries, and the counts could still move. */
	load_close(load);
	if (check)
		check_run(check, root, &options->kudos, load->keys, any_refused(load), options->settle);
	const bool ok =
	    (!check || check->ok) && load->steps.failed == 0 && !load->stalled && !any_refused(load);
	const bool told = options->json ? report_json(load, check, ok) : report_text(load, check, ok);
	free(check);
	if (!told)
		fprintf(stderr, "kudos-load: the report could not be written\n");
	return ok && told ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct options *options, kudos *root, struct keys *keys)
{
	struct load load;
	struct kudos_options own = options->kudos;
	own.share = root;
	int status = EXIT_FAILURE;
	int r = load_init(&load, &options->plan, keys, &own);
	load.settle = options->settle;
	load.progress = isatty(STDERR_FILENO);
	if (r == KUDOS_OK)
		r = load_run(&load);
	if (r != KUDOS_OK)
		fprintf(stderr, "kudos-load: %s\n", load.error);
	else if (load.interrupts < 2)
		status = conclude(&load, root, options);
	if (load.interrupts > 0)
		status = EXIT_INTERRUPTED;
	load_deinit(&load);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	kudos *root = NULL;
	struct keys keys = {0};
	int status;
	options_parse(&options, argc, argv);
	char why[512] = "";
	struct kudos_options own = options.kudos;
	own.why = why;
	own.why_size = sizeof(why);
	int r = kudos_open(&root, &own);
	if (r != KUDOS_OK && why[0]) {
		fprintf(stderr, "kudos-load: %s\n", why);
		return EXIT_FAILURE;
	}
	if (r != KUDOS_OK)
		return complain(root, r);
	if (keys_init(&keys, &options.plan) < 0)
		status = complain(NULL, KUDOS_NO_MEMORY);
	else if ((r = prepare(root, &options, &keys)) != KUDOS_OK)
		status = complain(root, r);
	else
		status = run(&options, root, &keys);
	keys_deinit(&keys);
	kudos_close(&root);
	return status;
}
