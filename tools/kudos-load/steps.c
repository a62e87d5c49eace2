/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define PROGRAM "kudos-cluster"

static bool find_beside(char *path, size_t size)
{
	const ssize_t n = readlink("/proc/self/exe", path, size - sizeof(PROGRAM));
	if (n <= 0)
		return false;
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	if (!slash)
		return false;
	memcpy(slash + 1, PROGRAM, sizeof(PROGRAM));
	return access(path, X_OK) == 0;
}

void steps_init(struct steps *steps, const struct plan *plan)
{
	const char *named = getenv("KUDOS_CLUSTER");
	*steps = (struct steps){.plan = plan};
	if (named && named[0])
		snprintf(steps->program, sizeof(steps->program), "%s", named);
	else if (!find_beside(steps->program, sizeof(steps->program)))
		strcpy(steps->program, PROGRAM);
}

/* In the child. Signals are blocked in the parent, which reads them from a descriptor; the daemons that
 * kudos-cluster starts must not inherit that. */
static _Noreturn void run(const struct steps *steps, const struct plan_step *step)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr); /* out of the progress line */
	execlp(steps->program, PROGRAM, step->verb, step->name[0] ? step->name : (char *)NULL, (char *)NULL);
	fprintf(stderr, "kudos-load: %s: %s; set KUDOS_CLUSTER to where it is\n", steps->program,
		strerror(errno));
	_exit(127);
}

static void end_step(struct steps *steps, int status)
{
	const struct plan_step *step = &steps->plan->steps[steps->next];
	steps->reports[steps->next].ended = clock_ns();
	steps->reports[steps->next].status = status;
	steps->pid = 0;
	steps->next++;
	if (status != 0) {
		steps->failed++;
		fprintf(stderr, "kudos-load: '%s %s' failed with status %d\n", step->verb, step->name,
			status);
	}
}

static void reap(struct steps *steps, int flags)
{
	int status;
	pid_t pid;
	if (steps->pid == 0)
		return;
	do {
		pid = waitpid(steps->pid, &status, flags);
	} while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	if (pid < 0)
		end_step(steps, 127);
	else
		end_step(steps, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void steps_advance(struct steps *steps, unsigned phase, int64_t elapsed)
{
	reap(steps, WNOHANG);
	if (steps->pid != 0 || steps->next == steps->plan->step_count)
		return;
	const struct plan_step *step = &steps->plan->steps[steps->next];
	if (step->phase != phase || step->after > elapsed)
		return;
	steps->reports[steps->next].started = clock_ns();
	steps->pid = fork();
	if (steps->pid == 0)
		run(steps, step);
	if (steps->pid < 0)
		end_step(steps, 127);
}

int64_t steps_due(const struct steps *steps, unsigned phase)
{
	if (steps->pid != 0)
		return 0;
	if (steps->next == steps->plan->step_count || steps->plan->steps[steps->next].phase != phase)
		return -1;
	return steps->plan->steps[steps->next].after;
}

void steps_finish(struct steps *steps)
{
	reap(steps, 0);
}
