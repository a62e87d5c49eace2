/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY (50 * MS)

/* A path, or with a leading @ a name in the abstract space. -1: neither, or nobody is there. */
static int open_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = name ? strlen(name) : 0;
	if (size < 2 || size >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@'))
		return -1;
	memcpy(address.sun_path, name, size);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* An abstract name is exactly so long; a path takes its zero along. */
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (name[0] == '/'));
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, length) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Half of what the manager waits for; 0 when it does not, or waits for another process. */
static int64_t watchdog_interval(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	long long interval = strtoll(usec, NULL, 10);
	return interval > 0 && interval < NEVER ? interval / 2 : 0;
}

void notify_init(struct notify *n)
{
	*n = (struct notify){.socket = open_socket(getenv("NOTIFY_SOCKET"))};
	if (n->socket >= 0)
		n->watchdog = watchdog_interval();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_deinit(struct notify *n)
{
	if (n->socket >= 0)
		close(n->socket);
	n->socket = -1;
}

/* False: there is no room now. */
static bool tell(const struct notify *n, const char *text)
{
	return n->socket < 0 || send(n->socket, text, strlen(text), MSG_NOSIGNAL) >= 0 || errno != EAGAIN;
}

bool notify_tick(struct notify *n, int64_t now)
{
	if (n->socket < 0)
		return false;
	if (n->watchdog > 0 && now >= n->next_watchdog)
		n->next_watchdog = now + (tell(n, "WATCHDOG=1") ? n->watchdog : RETRY);
	if (now < n->next_status)
		return false;
	n->next_status = now + NOTIFY_STATUS_INTERVAL;
	return true;
}

int64_t notify_deadline(const struct notify *n)
{
	if (n->socket < 0)
		return NEVER;
	return n->watchdog > 0 ? earlier(n->next_watchdog, n->next_status) : n->next_status;
}

void notify_status(struct notify *n, const char *format, ...)
{
	char line[sizeof n->status] = "STATUS=";
	size_t head = strlen(line);
	va_list args;
	va_start(args, format);
	vsnprintf(line + head, sizeof line - head, format, args);
	va_end(args);
	if (strcmp(line, n->status) != 0 && tell(n, line))
		memcpy(n->status, line, sizeof line);
}

void notify_ready(struct notify *n)
{
	n->ready = n->ready || tell(n, "READY=1");
}

void notify_stopping(struct notify *n)
{
	n->stopping = n->stopping || tell(n, "STOPPING=1");
}
