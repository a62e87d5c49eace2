/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway.h"

#define TIME_SIZE sizeof "2026-11-25T16:00:00.000Z"

static void print_time(char text[TIME_SIZE + 16])
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t size = strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + size, TIME_SIZE + 16 - size, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

void access_log(const struct exchange *x)
{
	char when[TIME_SIZE + 16], address[ADDRESS_SIZE];
	print_time(when);
	address_text(&x->address, address);
	double seconds = (double)((x->answered ? x->answered : gateway_now_us()) - x->began) / 1e6;
	/* status null: it went before it was answered */
	json_t *line =
	    json_pack("{s:s, s:s, s:s, s:s?, s:o, s:f, s:I, s:s?}", "time", when, "address", address,
		      "method", x->method, "route", x->route ? x->route->path : NULL, "status",
		      x->answered ? json_integer((json_int_t)x->status) : json_null(), "seconds", seconds,
		      "body_bytes", (json_int_t)x->body_size, "token", x->who && *x->who ? x->who : NULL);
	char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
	if (text)
		puts(text);
	free(text);
	json_decref(line);
}
