// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs here to wake a thread: two of them wake one another in turn, so
 * that the one sleeps when the other comes.  A few microseconds on silicon, much
 * more where the host is itself a guest or emulated.
 */
#include "kvm/wakeup.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15	/* the first ones warm up */

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

u64 wakeup_cost(void)
{
	struct wakeup w;
	pthread_t thread;
	u64 cost = 0;

	sem_init(&w.there, 0, 0);
	sem_init(&w.back, 0, 0);
	if (!pthread_create(&thread, NULL, wakeup_answer, &w)) {
		cost = wakeup_measure(&w);
		pthread_join(thread, NULL);
	}
	sem_destroy(&w.there);
	sem_destroy(&w.back);
	return cost;
}
