/* SPDX-License-Identifier: MIT */
#include "daemon/stop.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int stop_open(struct stop *stop)
{
	sigset_t signals;
	*stop = (struct stop){.fd = -1};
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0)
		stop->fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	return stop->fd < 0 ? -errno : 0;
}

void stop_close(struct stop *stop)
{
	if (stop->fd >= 0)
		close(stop->fd);
}

void stop_look(void *arg)
{
	struct stop *stop = arg;
	struct signalfd_siginfo info;
	while (read(stop->fd, &info, sizeof info) == (ssize_t)sizeof info)
		stop->asked = true;
}
