/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long an I/O thread without work looks for more before it sleeps: a budget,
 * learnt from how soon work comes.
 *
 * Plain arithmetic on the thread; times are CLOCK_MONOTONIC in ns.
 */
#ifndef LKVM_KVM_POLLING_H
#define LKVM_KVM_POLLING_H

#include "kvm/poll_trial.h"

struct inspector;
struct iothread_poll;

#define POLLING_TOLD_NS 10000000	/* polling always is counted so often */

struct polling {
	bool always;
	struct poll_trial *trial;	/* its disk's, or NULL: it pays */
	u64 max_ns;			/* the largest budget, 0: no polling */
	u64 budget_ns;
	u64 rest_until;			/* no budget before this */
};

/* What was learnt stays, but within the new bound. */
void polling_set(struct polling *p, const struct iothread_poll *how);

/* How long to look; 0: sleep at once. */
static inline u64 polling_budget(const struct polling *p)
{
	if (p->always)
		return POLLING_TOLD_NS;
	return p->trial && read_once(&p->trial->off) ? 0 : p->budget_ns;
}

/* Work came @idle ns after the last. */
void polling_learn(struct polling *p, u64 idle, u64 now);
/* A look in vain took @ns. */
void polling_looked(struct polling *p, u64 now, u64 ns);

void polling_inspect(const struct polling *p, const struct inspector *to);

#endif
