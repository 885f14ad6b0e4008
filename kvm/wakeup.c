// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs here to wake a thread: two of them wake one another in turn, so
 * that the one sleeps when the other comes.  They run on two CPUs, as a vCPU and
 * the I/O thread that it kicks do.  A few microseconds on silicon, much more
 * where the host is itself a guest or emulated.
 */
#include "kvm/wakeup.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#define HOST_CPUS_MAX 8192	/* Linux, NR_CPUS at its most */
#define ROUNDS 7	/* the first one warms up */

struct wakeup {
	sem_t there;
	sem_t back;
};

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		;	/* a signal */
}

static void *wakeup_answer(void *arg)
{
	struct wakeup *w = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		wait_for(&w->there);
		sem_post(&w->back);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* The median round, of two wake-ups each. */
static u64 wakeup_measure(struct wakeup *w)
{
	u64 rounds[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		u64 start = now_ns();

		sem_post(&w->there);
		wait_for(&w->back);
		rounds[i] = now_ns() - start;
	}
	qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
	return rounds[ROUNDS / 2] / 2;
}

unsigned int cpus_allowed(void)
{
	cpu_set_t cpus[HOST_CPUS_MAX / CPU_SETSIZE];

	if (sched_getaffinity(0, sizeof(cpus), cpus))
		return 1;
	return (unsigned int)CPU_COUNT_S(sizeof(cpus), cpus);
}

/* Anywhere but on this CPU, if there is another. */
static void wakeup_place(pthread_attr_t *attr)
{
	cpu_set_t cpus[HOST_CPUS_MAX / CPU_SETSIZE];

	if (sched_getaffinity(0, sizeof(cpus), cpus))
		return;
	CPU_CLR_S(sched_getcpu(), sizeof(cpus), cpus);
	if (CPU_COUNT_S(sizeof(cpus), cpus))
		pthread_attr_setaffinity_np(attr, sizeof(cpus), cpus);
}

u64 wakeup_cost(void)
{
	struct wakeup w;
	pthread_attr_t attr;
	pthread_t thread;
	u64 cost = 0;

	sem_init(&w.there, 0, 0);
	sem_init(&w.back, 0, 0);
	pthread_attr_init(&attr);
	wakeup_place(&attr);
	if (!pthread_create(&thread, &attr, wakeup_answer, &w)) {
		cost = wakeup_measure(&w);
		pthread_join(thread, NULL);
	}
	pthread_attr_destroy(&attr);
	sem_destroy(&w.there);
	sem_destroy(&w.back);
	return cost;
}
