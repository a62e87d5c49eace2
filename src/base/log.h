/* SPDX-License-Identifier: MIT */
/* Log lines on stderr: "2026-11-22T12:00:00.123Z s1 warn  text". Names no wall clock to the caller. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/* Once, before the first line and before any thread. name is kept by reference. Without it nothing is logged:
 * so the library, the simulator and the tests run the same code in silence. */
void log_init(const char *name, bool debug);

#define log_debug(...) log_line('d', __VA_ARGS__)
#define log_info(...) log_line('i', __VA_ARGS__)
#define log_warn(...) log_line('w', __VA_ARGS__)
#define log_error(...) log_line('e', __VA_ARGS__)
void log_line(char level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
