/* SPDX-License-Identifier: MIT */
/* A thread beside the one that runs the reactor, which alone is to get the signals. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* pthread_create(3) with all signals blocked in the new thread. 0 or a negative errno. */
int thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg);

#endif
