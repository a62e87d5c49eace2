/* SPDX-License-Identifier: MIT */
/* A leak and a race, each planted: the tests that run this must fail, or the sanitizers do not report. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int shared;

static void *count_up(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		shared++;
	return NULL;
}

static int race(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, count_up, NULL) != 0)
		return EXIT_SUCCESS; /* the test wants a failure */
	count_up(NULL);
	pthread_join(thread, NULL);
	return EXIT_SUCCESS;
}

static int leak(void)
{
	void *volatile lost = malloc(100);
	lost = NULL;
	return lost ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "race") == 0 ? race() : leak();
}
