/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether polling pays, for a disk.
 *
 * A thread that polls cannot see what it costs: it may take the core that the
 * guest needs, or that another virtual CPU of this host runs on.  So it is tried,
 * now and then: the requests of the disk that are served in spans of time with
 * polling are held against those in spans without, and the better way is kept.
 *
 * The disk's threads share one.  Whichever comes first after the end of a span
 * goes on with it, the others do not wait; times are CLOCK_MONOTONIC in ns.
 */
#ifndef LKVM_KVM_POLL_TRIAL_H
#define LKVM_KVM_POLL_TRIAL_H

#include "barrier.h"
#include "endian.h"

struct iothread;

#define POLL_TRIAL_SPANS 4	/* with, without, without, with polling */
#define POLL_TRIAL_SPAN_NS 100000000

struct poll_trial {
	struct iothread **threads;	/* whose requests count */
	unsigned int nthreads;

	bool again;		/* set by any thread: what was learnt is of another setting */
	bool busy;		/* one of them goes on with it */

	/* Written by the one that is busy, read by all of them. */
	bool off;		/* no polling in this span */
	u64 since;		/* when the span began */

	/* Of the one that is busy alone. */
	u64 served;		/* until then */
	u64 rates[POLL_TRIAL_SPANS];	/* of this trial: requests per second */
	unsigned int span;	/* POLL_TRIAL_SPANS: between two trials */
	unsigned int rest;	/* spans until the next one, ... */
	unsigned int rests;	/* ... of so many */
	bool lost;		/* polling does not pay, as all told so far */
	u64 with, without;	/* what they told, the last ones most */
	u64 usual;		/* requests per second when one was tried last ... */
	u64 rate;		/* ... and lately */

	u64 trials;		/* that told something; others may read them ... */
	u64 trials_lost;	/* ... and these, in which more was served without */
};

/* Before @threads, which it keeps, poll with it. */
void poll_trial_init(struct poll_trial *p, struct iothread **threads,
		     unsigned int nthreads);

/* Any thread: how they poll has changed, so that nothing is known. */
static inline void poll_trial_reset(struct poll_trial *p)
{
	write_once(&p->again, true);
}

/* On one of @threads: whether it is to call poll_trial_compare() and poll_trial_end(). */
bool poll_trial_begin(struct poll_trial *p, u64 now);
/* @served requests were, since the threads are there. */
void poll_trial_compare(struct poll_trial *p, u64 now, u64 served);
void poll_trial_end(struct poll_trial *p);

#endif
