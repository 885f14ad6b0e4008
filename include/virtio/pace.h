/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many requests of a queue are worth waiting for.
 *
 * A driver hands over its requests one by one.  If the disk answers at once and
 * each is served alone, each costs the guest a kick and an interrupt, which are
 * dearer than the request.  So a queue with nothing in flight waits for those
 * that usually follow, within a time that they usually take.  Both are
 * learnt: a driver with few in flight never waits, one that changes its mind
 * waits once, and a wait in vain pays for a longer time without another.
 *
 * Plain arithmetic on the queue's I/O thread; times are of one clock, in ns.
 */
#ifndef LKVM_VIRTIO_PACE_H
#define LKVM_VIRTIO_PACE_H

#include "endian.h"

struct pace {
	unsigned int want;	/* requests worth waiting for; 1: none */
	unsigned int most;	/* of them; no driver has more than its ring holds */
	unsigned int vain;	/* how many waits were in vain lately */
	u64 since;		/* when the queue had nothing in flight */
	u64 usual_ns;		/* how long what was wanted took to come */
	u64 rest_until;		/* no waiting before this */
};

enum pace_result {
	PACE_NOT_HELD,	/* they were taken at once */
	PACE_MET,	/* as many came as were waited for */
	PACE_MISSED,	/* fewer did */
};

/* For a ring of @size, which is never waited for beyond. */
void pace_init(struct pace *p, unsigned int size);

/* How long from @now on @waiting requests should be left; 0: take them. */
u64 pace_patience(const struct pace *p, unsigned int waiting, u64 now);

/* @got requests, at least one, were taken when none was in flight. */
enum pace_result pace_took(struct pace *p, unsigned int got, u64 now);

/* None came in all the time: what comes next is taken at once. */
void pace_give_up(struct pace *p);

/* None is in flight any more; there were @outstanding, taken or waiting. */
void pace_idle(struct pace *p, unsigned int outstanding, u64 now);

#endif
