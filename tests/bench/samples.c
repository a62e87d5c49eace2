/* SPDX-License-Identifier: MIT */
#include "samples.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void samples_add(struct samples *s, int64_t duration)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 4096;
		s->at = realloc(s->at, s->capacity * sizeof(*s->at));
		if (!s->at)
			give_up("samples", "out of memory");
	}
	s->at[s->count++] = duration;
}

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static double percentile_us(const struct samples *s, double share)
{
	const size_t i = (size_t)((double)s->count * share);
	return (double)s->at[i < s->count ? i : s->count - 1] / 1000.0;
}

void samples_print(struct samples *s)
{
	if (s->count == 0)
		give_up("samples", "nothing was measured");
	qsort(s->at, s->count, sizeof(*s->at), by_size);
	printf("{\"count\": %zu, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
	       s->count, percentile_us(s, 0.5), percentile_us(s, 0.9), percentile_us(s, 0.99),
	       percentile_us(s, 1.0));
}

void samples_deinit(struct samples *s)
{
	free(s->at);
	*s = (struct samples){0};
}

void give_up(const char *what, const char *detail)
{
	fprintf(stderr, "%s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	exit(1);
}

double positive(const char *text)
{
	char *end;
	const double number = strtod(text, &end);
	if (end == text || *end != '\0' || !(number > 0)) {
		fprintf(stderr, "%s: a number above 0 is wanted\n", text);
		exit(2);
	}
	return number;
}

int open_aside(const char *folder, off_t size)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/bench-XXXXXX", folder);
	const int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0 || unlink(path) < 0 || fallocate(fd, 0, 0, size) < 0 || fsync(fd) < 0)
		give_up(path, strerror(errno));
	return fd;
}
