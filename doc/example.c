/* SPDX-License-Identifier: MIT */
/* Ten likes of a key, then its count: cc example.c $(pkg-config --cflags --libs kudos) */
#include <kudos.h>
#include <stdio.h>
#include <stdlib.h>

/* Told once for each like; only what was not acknowledged is worth a line here. */
static void on_result(void *arg, const struct kudos_result *result)
{
	(void)arg;
	if (result->error != KUDOS_OK)
		fprintf(stderr, "likes %llu to %llu: %s\n", (unsigned long long)result->first,
			(unsigned long long)result->last, kudos_error_text(result->error));
}

int main(void)
{
	struct kudos_options options = {.leaders = getenv("KUDOS_LEADER"), .on_result = on_result};
	kudos *handle = NULL;
	const char *key = "post:1";
	int64_t count = 0;
	int error = kudos_open(&handle, &options);
	for (int i = 0; i < 10 && error == KUDOS_OK; i++)
		error = kudos_send(handle, key, 1, NULL); /* queued: sent in batches, retried as needed */
	if (error == KUDOS_OK)
		error = kudos_flush(handle); /* waits until each has its result */
	if (error == KUDOS_OK)
		error = kudos_count(handle, &key, 1, &count);
	if (error == KUDOS_OK)
		printf("%s %lld\n", key, (long long)count);
	else
		fprintf(stderr, "%s (%s)\n", kudos_error_text(error), kudos_detail(handle));
	kudos_close(&handle);
	return error != KUDOS_OK;
}
