/* SPDX-License-Identifier: MIT */
/* Preloaded: lets the allocation with the number KUDOS_FAIL_ALLOCATION fail, of those that our programs and
 * our library ask for, also by strdup, getline and the like. What other libraries ask for themselves is left
 * alone: libzmq ends the process. Writes the file KUDOS_FAIL_MARK when it did. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread bool inside; /* dladdr and getenv might ask, too */
static int made;

static bool is_ours(const void *caller)
{
	Dl_info info;
	if (!dladdr(caller, &info) || !info.dli_fname)
		return false;
	const char *slash = strrchr(info.dli_fname, '/');
	const char *name = slash ? slash + 1 : info.dli_fname;
	return strncmp(name, "kudos", 5) == 0 || strncmp(name, "libkudos", 8) == 0;
}

static bool fails(const void *caller)
{
	if (inside)
		return false;
	inside = true;
	const char *number = getenv("KUDOS_FAIL_ALLOCATION"), *mark = getenv("KUDOS_FAIL_MARK");
	bool fail = number && mark && is_ours(caller) &&
		    __atomic_fetch_add(&made, 1, __ATOMIC_SEQ_CST) == atoi(number);
	if (fail) {
		int fd = open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd >= 0)
			close(fd);
		errno = ENOMEM;
	}
	inside = false;
	return fail;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

#define PUBLIC __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

PUBLIC void *malloc(size_t size)
{
	return fails(CALLER) ? NULL : __libc_malloc(size);
}

PUBLIC void *calloc(size_t count, size_t size)
{
	return fails(CALLER) ? NULL : __libc_calloc(count, size);
}

PUBLIC void *realloc(void *old, size_t size)
{
	return fails(CALLER) ? NULL : __libc_realloc(old, size);
}

PUBLIC char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = fails(CALLER) ? NULL : __libc_malloc(size);
	return copy ? memcpy(copy, text, size) : NULL;
}

/* What getline() is in the headers. */
PUBLIC ssize_t __getdelim(char **line, size_t *size, int delimiter, FILE *file)
{
	return fails(CALLER) ? -1 : getdelim(line, size, delimiter, file);
}

PUBLIC int vasprintf(char **text, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	int length = fails(CALLER) ? -1 : vsnprintf(NULL, 0, format, again);
	va_end(again);
	*text = length < 0 ? NULL : __libc_malloc((size_t)length + 1);
	return *text ? vsnprintf(*text, (size_t)length + 1, format, arguments) : -1;
}
