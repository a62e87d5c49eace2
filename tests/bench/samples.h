/* SPDX-License-Identifier: MIT */
/* Durations that a probe has measured, and the one line of JSON that it reports them in. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NS_PER_S INT64_C(1000000000)

struct samples {     /* {0} is empty */
	int64_t *at; /* nanoseconds, owned */
	size_t count, capacity;
};

int64_t clock_ns(void);

/* Ends the program when there is no memory: a probe without its samples is of no use. */
void samples_add(struct samples *s, int64_t duration);

/* {"count": …, "p50_us": …, "p90_us": …, "p99_us": …, "max_us": …} on standard output; sorts the samples. */
void samples_print(struct samples *s);
void samples_deinit(struct samples *s);

/* Says what failed, and why when detail is not NULL, and ends the program with status 1. */
_Noreturn void give_up(const char *what, const char *detail);

/* A file in folder that nobody else sees, preallocated as the journal's segments are; ends the program when
 * there is none. */
int open_aside(const char *folder, off_t size);

/* The whole of text as a number above zero; ends the program with status 2 when it is none. */
double positive(const char *text);

#endif
