/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread that may have a host CPU for itself.
 */
#ifndef LKVM_KVM_THREAD_H
#define LKVM_KVM_THREAD_H

#include <pthread.h>

/*
 * Start fn(arg), on host CPU @cpu from its first instruction on, or if that is
 * -1 where the default attributes say.  0 or -errno, without a message.
 */
int thread_start(pthread_t *thread, int cpu, void *(*fn)(void *arg), void *arg);

#endif
