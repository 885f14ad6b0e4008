// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads on CPUs of their own.  Their set is made as large as it must be: cpu_set_t
 * alone ends at 1024.
 */
#include "kvm/thread.h"
#include <errno.h>
#include <sched.h>
#include <stddef.h>

static int attr_set_cpu(pthread_attr_t *attr, int cpu)
{
	cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
	size_t size = CPU_ALLOC_SIZE((size_t)cpu + 1);
	int err;

	if (!set)
		return ENOMEM;
	CPU_ZERO_S(size, set);
	CPU_SET_S((size_t)cpu, size, set);
	err = pthread_attr_setaffinity_np(attr, size, set);
	CPU_FREE(set);
	return err;
}

int thread_start(pthread_t *thread, int cpu, void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	int err;

	if (cpu < 0)
		return -pthread_create(thread, NULL, fn, arg);
	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	err = attr_set_cpu(&attr, cpu);
	if (!err)
		err = pthread_create(thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return -err;
}
