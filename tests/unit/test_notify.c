/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"

/* The manager's end, at a path or (with @) an abstract name. */
static int manager(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strlen(name);
	memcpy(address.sun_path, name, size);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (name[0] == '/'));
	cr_assert(fd >= 0 && bind(fd, (const struct sockaddr *)&address, length) == 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* The next message, or "" when there is none. */
static const char *heard(int fd)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void watched(const char *usec, const char *pid)
{
	setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
}

Test(notify, says_nothing_where_nobody_asks)
{
	struct notify n;
	unsetenv("NOTIFY_SOCKET");
	watched("1000", NULL);
	notify_init(&n);
	cr_assert(!notify_tick(&n, SECOND) && notify_deadline(&n) == NEVER);
	notify_ready(&n);
	notify_deinit(&n);
}

Test(notify, a_name_that_is_none_is_nobody)
{
	static const char *const names[] = {"", "/", "relative", "vsock:2:1234", "/no/such/socket"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct notify n;
		setenv("NOTIFY_SOCKET", names[i], 1);
		notify_init(&n);
		cr_assert(n.socket < 0 && !getenv("NOTIFY_SOCKET"), "%s", names[i]);
		notify_deinit(&n);
	}
	char name[200] = "/";
	struct notify n;
	memset(name + 1, 'x', sizeof name - 2);
	setenv("NOTIFY_SOCKET", name, 1);
	notify_init(&n);
	cr_assert(n.socket < 0);
}

static void tells_all(const char *name)
{
	struct notify n;
	int fd = manager(name);
	watched("3000000", NULL);
	notify_init(&n);
	cr_assert(!getenv("NOTIFY_SOCKET") && !getenv("WATCHDOG_USEC") && !getenv("WATCHDOG_PID"));

	cr_assert(notify_tick(&n, 10 * SECOND), "a status at once");
	cr_assert_str_eq(heard(fd), "WATCHDOG=1");
	notify_status(&n, "waiting for %s", "Godot");
	cr_assert_str_eq(heard(fd), "STATUS=waiting for Godot");
	notify_status(&n, "waiting for %s", "Godot");
	cr_assert_str_eq(heard(fd), "", "the same is not said twice");

	cr_assert(notify_deadline(&n) == 11 * SECOND);
	cr_assert(!notify_tick(&n, 11 * SECOND - 1));
	cr_assert(notify_tick(&n, 11 * SECOND), "… and another after a second");
	cr_assert_str_eq(heard(fd), "");
	cr_assert(notify_deadline(&n) == 10 * SECOND + 1500 * MS,
		  "the watchdog comes first, at half its time");
	cr_assert(!notify_tick(&n, 10 * SECOND + 1500 * MS));
	cr_assert_str_eq(heard(fd), "WATCHDOG=1");

	notify_ready(&n);
	cr_assert_str_eq(heard(fd), "READY=1");
	notify_ready(&n);
	cr_assert_str_eq(heard(fd), "", "once");
	notify_stopping(&n);
	cr_assert_str_eq(heard(fd), "STOPPING=1");
	close(fd);
	notify_stopping(&n); /* into nothing */
	notify_deinit(&n);
}

Test(notify, tells_a_socket_at_a_path)
{
	char folder[] = "/tmp/kudos-notify-XXXXXX", name[64];
	cr_assert(mkdtemp(folder));
	snprintf(name, sizeof name, "%s/socket", folder);
	tells_all(name);
	unlink(name);
	rmdir(folder);
}

Test(notify, tells_an_abstract_socket)
{
	char name[64];
	snprintf(name, sizeof name, "@kudos-notify-%d", (int)getpid());
	tells_all(name);
}

Test(notify, another_process_is_watched)
{
	struct notify n;
	char name[64];
	snprintf(name, sizeof name, "@kudos-notify-%d", (int)getpid());
	int fd = manager(name);
	watched("3000000", "1");
	notify_init(&n);
	notify_tick(&n, SECOND);
	cr_assert_str_eq(heard(fd), "");
	notify_deinit(&n);
	watched("nonsense", NULL);
	setenv("NOTIFY_SOCKET", name, 1);
	notify_init(&n);
	cr_assert(n.watchdog == 0);
	notify_deinit(&n);
	close(fd);
}

Test(notify, a_manager_that_does_not_read_holds_nobody_up)
{
	struct notify n;
	char name[64];
	snprintf(name, sizeof name, "@kudos-notify-%d", (int)getpid());
	int fd = manager(name);
	watched("3000000", NULL);
	notify_init(&n);
	for (int i = 0; i < 100000; i++)
		notify_status(&n, "%d", i);
	notify_ready(&n);
	notify_tick(&n, SECOND);
	cr_assert(notify_deadline(&n) < SECOND + 100 * MS, "the watchdog is told again soon");

	cr_assert_str_eq(heard(fd), "STATUS=0");
	notify_tick(&n, SECOND + 100 * MS);
	while (*heard(fd))
		;
	notify_ready(&n);
	cr_assert_str_eq(heard(fd), "READY=1", "what found no room is said again");
	notify_status(&n, "99999");
	cr_assert_str_eq(heard(fd), "STATUS=99999");
	cr_assert(notify_deadline(&n) == 2 * SECOND);
	notify_deinit(&n);
	close(fd);
}
