/* SPDX-License-Identifier: MIT */
/* What the tested thing did, as one line of text that a test reads: "use s1, hello, batch 1:1 a". */
#ifndef UNIT_TRACE_H
#define UNIT_TRACE_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct trace { /* {0} is empty */
	char text[16384];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static inline void trace_note(struct trace *t, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (t->used)
		t->used += (size_t)snprintf(t->text + t->used, sizeof t->text - t->used, ", ");
	t->used += (size_t)vsnprintf(t->text + t->used, sizeof t->text - t->used, format, arguments);
	va_end(arguments);
	cr_assert(t->used < sizeof t->text);
}

static inline void trace_forget(struct trace *t)
{
	t->used = 0;
	t->text[0] = '\0';
}

/* For a struct fixture with a trace. */
#define note(f, ...) trace_note(&((struct fixture *)(f))->trace, __VA_ARGS__)
#define forget(f) trace_forget(&(f)->trace)

/* It is so since the last time. */
static inline void trace_expect(struct trace *t, int line, const char *text)
{
	cr_assert(strcmp(t->text, text) == 0, "line %d: expected\n  %s\ngot\n  %s", line, text, t->text);
	trace_forget(t);
}

#endif
