// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long to poll, see kvm/polling.h.
 */
#include "kvm/polling.h"
#include "inspect.h"
#include "kvm/iothread.h"

#define LEAST 50		/* the smallest budget: the largest by that */

#define LOOK 500000		/* ns: no look around, no timer tick takes so long ... */
#define LOOK_MOST 2500000	/* ... nor this where wake-ups, and so all, are dear */
#define LOOK_REST 64		/* then no polling for so many times that */

void polling_set(struct polling *p, const struct iothread_poll *how)
{
	p->always = how->always;
	p->trial = how->trial;
	p->max_ns = how->max_ns;
	p->rest_until = 0;
	if (p->budget_ns > p->max_ns)
		p->budget_ns = p->max_ns;
}

/* Had a longer look found it, look longer next time, else shorter. */
void polling_learn(struct polling *p, u64 idle, u64 now)
{
	u64 least = p->max_ns / LEAST;

	if (idle > p->max_ns) {
		p->budget_ns /= 2;
		if (p->budget_ns < least)
			p->budget_ns = 0;
	} else if (now >= p->rest_until) {
		p->budget_ns = p->budget_ns ? 2 * p->budget_ns : least;
		if (p->budget_ns > p->max_ns)
			p->budget_ns = p->max_ns;
	}
}

/* If too long, others need this core, perhaps the guest itself. */
void polling_looked(struct polling *p, u64 now, u64 ns)
{
	if (ns < LOOK || (ns < LOOK_MOST && ns < p->max_ns / 2))
		return;
	p->budget_ns = 0;
	p->rest_until = now + LOOK_REST * ns;
}

void polling_inspect(const struct polling *p, const struct inspector *to)
{
	inspect(to, "poll_always", p->always);
	inspect(to, "poll_max_ns", p->max_ns);
	inspect(to, "poll_budget_ns", p->budget_ns);
	inspect(to, "poll_off", p->trial && read_once(&p->trial->off));
}
