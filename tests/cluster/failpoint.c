/* SPDX-License-Identifier: MIT */
/* Kills the process it is preloaded into (LD_PRELOAD) at a named point, as kill -9 does, so that the programs
 * need no hooks for it. KUDOS_FAILPOINT=NAME:N dies at the N-th time:
 *
 *   before-commit, after-commit        around the journal's fdatasync
 *   before-publish, after-publish      around sending a record or vector to the peers (XPUB)
 *   before-answer, after-answer        around an acknowledgement or another answer (ROUTER)
 *   before-checkpoint, after-checkpoint    around LMDB's commit
 *   before-truncate, after-truncate    around unlinking a journal segment
 *   before-adopt                       while a snapshot replaces the checkpoint
 *   fail-checkpoint                    does not die: from the N-th time on LMDB's commit fails */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

/* How often the point that is wanted has been passed, counted from the N-th time on: 0 before it, and at
 * others. */
static int passed(const char *when, const char *what)
{
	static atomic_int times;
	const char *wanted = getenv("KUDOS_FAILPOINT");
	size_t size = strlen(when);
	if (!wanted || strncmp(wanted, when, size) != 0 || wanted[size] != '-')
		return 0;
	const char *colon = strchr(wanted, ':');
	size_t name = strlen(what);
	if (!colon || (size_t)(colon - wanted) != size + 1 + name ||
	    strncmp(wanted + size + 1, what, name) != 0)
		return 0;
	int over = atomic_fetch_add(&times, 1) + 2 - atoi(colon + 1);
	return over > 0 ? over : 0;
}

static void point(const char *when, const char *what)
{
	if (passed(when, what) == 1)
		kill(getpid(), SIGKILL);
}

/* dlsym gives an object pointer for what is a function; POSIX says that it may be turned into one. */
#define REAL(name) (*(__typeof__(&name) *)(void *)&(void *){dlsym(RTLD_NEXT, #name)})

#pragma GCC visibility push(default)

int fdatasync(int fd)
{
	point("before", "commit");
	int r = REAL(fdatasync)(fd);
	point("after", "commit");
	return r;
}

int zmq_msg_send(zmq_msg_t *message, void *socket, int flags)
{
	int type = 0;
	size_t size = sizeof type;
	zmq_getsockopt(socket, ZMQ_TYPE, &type, &size);
	const char *what = type == ZMQ_XPUB ? "publish" : type == ZMQ_ROUTER ? "answer" : "ask";
	point("before", what);
	int r = REAL(zmq_msg_send)(message, socket, flags);
	point("after", what);
	return r;
}

int mdb_txn_commit(MDB_txn *txn)
{
	if (passed("fail", "checkpoint")) {
		mdb_txn_abort(txn);
		return EIO;
	}
	point("before", "checkpoint");
	int r = REAL(mdb_txn_commit)(txn);
	point("after", "checkpoint");
	return r;
}

int mdb_drop(MDB_txn *txn, MDB_dbi dbi, int del)
{
	point("before", "adopt");
	return REAL(mdb_drop)(txn, dbi, del);
}

int unlinkat(int dir, const char *path, int flags)
{
	point("before", "truncate");
	int r = REAL(unlinkat)(dir, path, flags);
	point("after", "truncate");
	return r;
}
