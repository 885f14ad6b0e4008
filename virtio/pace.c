// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many requests of a queue are worth waiting for, see virtio/pace.h.
 */
#include "virtio/pace.h"

#define WANT_MAX 32		/* more bring little */
#define WANT_FROM 4		/* a driver with fewer in flight never waits */
#define PATIENCE 4		/* times what is usual ... */
#define PATIENCE_MAX 5000000	/* ... and at most */
#define USUAL_FIRST 100000	/* while nothing is known */
/* A vain wait pays for 4 to 64 times its length without another. */
#define VAIN_STEP 2		/* each one for four times more than the last, */
#define VAIN_MAX 6		/* half as much after each that was not in vain */

void pace_init(struct pace *p, unsigned int size)
{
	*p = (struct pace){
		.want = 1,
		.most = size < WANT_MAX ? size : WANT_MAX,
		.usual_ns = USUAL_FIRST,
	};
}

static u64 pace_longest(const struct pace *p)
{
	u64 ns = PATIENCE * p->usual_ns;

	return ns < PATIENCE_MAX ? ns : PATIENCE_MAX;
}

u64 pace_patience(const struct pace *p, unsigned int waiting, u64 now)
{
	u64 end = p->since + pace_longest(p);

	if (waiting >= p->want || now >= end || now < p->rest_until)
		return 0;
	return end - now;
}

static unsigned int pace_share(const struct pace *p, unsigned int outstanding)
{
	unsigned int share = outstanding < p->most ? outstanding : p->most;

	return share < WANT_FROM ? 1 : share;
}

static u64 mean_with(u64 mean, u64 value)
{
	return (3 * mean + value) / 4;
}

/*
 * Either fewer come, or they come slower than was known: believe both.  But a
 * lone one, as a flush behind a burst, tells nothing of how fast others come.
 */
static void pace_missed(struct pace *p, unsigned int got, u64 waited, u64 now)
{
	if (got >= WANT_FROM)
		p->usual_ns = mean_with(p->usual_ns, waited * p->want / got);
	p->want = pace_share(p, got);
	p->vain = p->vain + VAIN_STEP < VAIN_MAX ? p->vain + VAIN_STEP : VAIN_MAX;
	p->rest_until = now + (waited << p->vain);
}

enum pace_result pace_took(struct pace *p, unsigned int got, u64 now)
{
	u64 waited = now - p->since;

	if (p->want == 1 || now < p->rest_until)
		return PACE_NOT_HELD;
	if (waited > PATIENCE_MAX)	/* the process was stopped, or so */
		waited = PATIENCE_MAX;
	if (got < p->want) {
		pace_missed(p, got, waited, now);
		return PACE_MISSED;
	}
	p->usual_ns = mean_with(p->usual_ns, waited);
	if (p->vain)
		p->vain--;
	return PACE_MET;
}

void pace_give_up(struct pace *p)
{
	p->want = 1;
}

void pace_idle(struct pace *p, unsigned int outstanding, u64 now)
{
	p->want = (p->want + pace_share(p, outstanding) + 1) / 2;
	p->since = now;
}
