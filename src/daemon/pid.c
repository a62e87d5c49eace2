/* SPDX-License-Identifier: MIT */
/* getpid() without asking the kernel each time, in the C library's place, for all that a program is linked
 * with. libzmq compares it whenever one of its threads wakes another or looks whether it was woken, to notice
 * that it is in a forked child, and the C library keeps no copy since 2.25: that was every third system call
 * of a server for one like (doc/performance.md). A forked child asks anew. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic pid_t kept; /* 0: not known */
static bool keeps;

static void forget(void)
{
	atomic_store_explicit(&kept, 0, memory_order_relaxed);
}

__attribute__((constructor)) static void begin(void)
{
	keeps = pthread_atfork(NULL, NULL, forget) == 0;
}

__attribute__((visibility("default"))) pid_t getpid(void)
{
	pid_t pid = atomic_load_explicit(&kept, memory_order_relaxed);
	if (pid != 0)
		return pid;
	pid = (pid_t)syscall(SYS_getpid);
	if (keeps)
		atomic_store_explicit(&kept, pid, memory_order_relaxed);
	return pid;
}
