/* SPDX-License-Identifier: MIT */
/* The process's number, kept; this program exports it as the daemons do. */
#include <criterion/criterion.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

static int status_of(pid_t child)
{
	int status;
	cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

Test(pid, of_a_child_is_its_own)
{
	cr_assert_eq(getpid(), (pid_t)syscall(SYS_getpid));
	cr_assert_eq(getpid(), (pid_t)syscall(SYS_getpid));
	pid_t child = fork();
	if (child == 0)
		_exit(getpid() != (pid_t)syscall(SYS_getpid));
	cr_assert_eq(status_of(child), 0);
	cr_assert_eq(getpid(), (pid_t)syscall(SYS_getpid));
}

/* What it is for: without this libzmq works on in a child, on descriptors that are the parent's, too. */
Test(pid, libzmq_notices_a_fork)
{
	void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
	cr_assert(zmq_bind(socket, "inproc://pid") == 0);
	pid_t child = fork();
	if (child == 0) {
		char byte;
		_exit(zmq_recv(socket, &byte, 1, ZMQ_DONTWAIT) != -1 || errno != EINTR);
	}
	cr_assert_eq(status_of(child), 0);
	zmq_close(socket);
	zmq_ctx_term(context);
}
