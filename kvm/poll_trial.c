// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether polling pays, see kvm/poll_trial.h.
 */
#include "kvm/poll_trial.h"

#define SECOND 1000000000ull

#define SERVED_LEAST 32		/* requests in a span that tell something */
#define RESTS_LEAST 4		/* spans from one trial to the next, at least; */
#define RESTS_MORE 4		/* so many times more after one that told what was known, ... */
#define RESTS_MOST 256		/* ... at most */
#define NOISE 32		/* a gain of less than 1/32 is none */
#define AGED 4			/* what trials before told counts a quarter less */
#define WATCHED 7		/* the rate is 7/8 what it was and 1/8 the last span's */

/* No trial for @spans. */
static void poll_trial_rest(struct poll_trial *p, unsigned int spans)
{
	p->rests = spans < RESTS_LEAST ? RESTS_LEAST :
		   spans > RESTS_MOST  ? RESTS_MOST :
					 spans;
	p->rest = p->rests;
	p->span = POLL_TRIAL_SPANS;
}

void poll_trial_init(struct poll_trial *p, struct iothread **threads,
		     unsigned int nthreads)
{
	*p = (struct poll_trial){
		.threads = threads,
		.nthreads = nthreads,
		.span = POLL_TRIAL_SPANS,
	};
}

static bool poll_trial_due(const struct poll_trial *p, u64 now)
{
	u64 since = read_once(&p->since);	/* by another's clock, perhaps later */

	return now > since && now - since >= POLL_TRIAL_SPAN_NS;
}

/* Pairs with poll_trial_end(): one thread's changes are there for the next. */
bool poll_trial_begin(struct poll_trial *p, u64 now)
{
	if (!poll_trial_due(p, now) ||
	    __atomic_exchange_n(&p->busy, true, __ATOMIC_ACQUIRE))
		return false;
	if (poll_trial_due(p, now))	/* still */
		return true;
	poll_trial_end(p);
	return false;
}

void poll_trial_end(struct poll_trial *p)
{
	store_release(&p->busy, false);
}

static bool far_apart(u64 a, u64 b)
{
	return a > 2 * b || b > 2 * a;
}

/* More than noise has to tell against polling. */
static bool poll_trial_lost(u64 with, u64 without)
{
	return with + with / NOISE < without;
}

/* The load changed by itself, or has gone: nothing was learnt, and less often. */
static void poll_trial_abandon(struct poll_trial *p)
{
	poll_trial_rest(p, RESTS_MORE * p->rests);
	p->usual = p->rate;
}

/* In this order a load that grows or falls steadily favours neither. */
static void poll_trial_decide(struct poll_trial *p)
{
	const u64 *rates = p->rates;
	u64 with = rates[0] + rates[3], without = rates[1] + rates[2];
	bool lost = poll_trial_lost(with, without);

	if (far_apart(rates[0], rates[3]) || far_apart(rates[1], rates[2])) {
		poll_trial_abandon(p);
		return;
	}
	counter_add(&p->trials, 1);
	if (lost)
		counter_add(&p->trials_lost, 1);
	poll_trial_rest(p, lost == p->lost ? RESTS_MORE * p->rests :
					     p->rests / RESTS_MORE);
	p->with = with + p->with / AGED * (AGED - 1);
	p->without = without + p->without / AGED * (AGED - 1);
	p->lost = poll_trial_lost(p->with, p->without);
	p->usual = p->rate = (p->lost ? without : with) / 2;
}

/* Of another load nothing is known: polling is believed to pay, and tried soon. */
static void poll_trial_forget(struct poll_trial *p)
{
	p->with = p->without = 0;
	p->lost = false;
	p->rest = p->rests = 0;
	p->span = POLL_TRIAL_SPANS;
}

static void poll_trial_watch(struct poll_trial *p, u64 rate)
{
	if (!p->usual)
		p->usual = p->rate = rate;
	p->rate = (WATCHED * p->rate + rate) / (WATCHED + 1);
	if (far_apart(p->rate, p->usual)) {
		p->usual = p->rate;
		poll_trial_forget(p);
	}
}

static void poll_trial_add(struct poll_trial *p, u64 n, u64 rate)
{
	bool tells = n >= SERVED_LEAST;

	if (p->span == POLL_TRIAL_SPANS) {
		poll_trial_watch(p, rate);
		if (tells && !p->rest--)
			p->span = 0;
	} else if (!tells) {
		poll_trial_abandon(p);
	} else {
		p->rates[p->span++] = rate;
		if (p->span == POLL_TRIAL_SPANS)
			poll_trial_decide(p);
	}
}

void poll_trial_compare(struct poll_trial *p, u64 now, u64 served)
{
	u64 ns = now - p->since, n = served - p->served;

	if (read_once(&p->again)) {
		write_once(&p->again, false);
		poll_trial_forget(p);
	}
	if (n && ns <= 2 * POLL_TRIAL_SPAN_NS)
		poll_trial_add(p, n, n * SECOND / ns);
	else if (p->span < POLL_TRIAL_SPANS)
		poll_trial_abandon(p);
	p->served = served;
	write_once(&p->off, p->span == POLL_TRIAL_SPANS ?
				    p->lost :
				    p->span == 1 || p->span == 2);
	write_once(&p->since, now);
}
