/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

/* The one mutable global of the daemons: set once in main, read ever after. No name: nothing is logged. */
static struct {
	const char *name;
	bool debug;
} settings;

void log_init(const char *name, bool debug)
{
	settings.name = name;
	settings.debug = debug;
}

void log_line(char level, const char *format, ...)
{
	if (!settings.name || (level == 'd' && !settings.debug))
		return;
	int64_t wall = clock_wall_ms();
	time_t seconds = (time_t)(wall / 1000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	char stamp[32];
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	const char *word = level == 'd' ? "debug" : level == 'i' ? "info " : level == 'w' ? "warn " : "error";
	char text[1024]; /* one write a line, so that lines of several threads do not mix */
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "%s.%03dZ %s %s %s\n", stamp, (int)(wall % 1000), settings.name, word, text);
}
