// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buckets of requests and bytes, see virtio/limit.h.
 *
 * Time is counted in ticks of 1/16 ns, and prices in 2^-20 ticks, so that
 * rounding does not count at any rate that is allowed.
 */
#include "virtio/limit.h"
#include "barrier.h"

#define TICK_SHIFT 4
#define UNIT_SHIFT 20
#define TICKS(ns) ((u64)(ns) << TICK_SHIFT)
#define SECOND 1000000000ull

#define TURN_NS 200000		/* a queue's share, and its shortest wait */
#define BURST_DEFAULT 10		/* a second's by so many */
#define BURST_MIN (SECOND / 100)	/* else a late wake-up costs throughput */
#define BURST_MAX (3600 * SECOND)
#define DEBT_MAX (365 * 86400 * SECOND)	/* of whatever length a request is */
#define WAIT_MAX (3600 * SECOND)	/* then the queue looks again */

static u64 limit_price(const struct limit_bucket *b, u64 n)
{
	unsigned __int128 price = (unsigned __int128)n * b->unit >> UNIT_SHIFT;

	return price < TICKS(DEBT_MAX) ? (u64)price : TICKS(DEBT_MAX);
}

/* The last one of a burst may begin when the others have used up what there is. */
static u64 limit_burst(const struct limit_bucket *b,
		       const struct limit_rate *rate)
{
	u64 burst = rate->burst ? rate->burst : rate->rate / BURST_DEFAULT;
	u64 price = limit_price(b, burst ? burst - 1 : 0);

	if (price < TICKS(BURST_MIN))
		return TICKS(BURST_MIN);
	return price < TICKS(BURST_MAX) ? price : TICKS(BURST_MAX);
}

static void limit_bucket_init(struct limit_bucket *b,
			      const struct limit_rate *rate)
{
	*b = (struct limit_bucket){ 0 };
	if (!rate->rate)
		return;
	b->unit = (TICKS(SECOND) << UNIT_SHIFT) / rate->rate;
	b->burst = limit_burst(b, rate);
}

bool limit_wanted(const struct limit_params *params)
{
	return params->requests.rate || params->bytes.rate;
}

void limit_init(struct limit *l, const struct limit_params *params)
{
	limit_bucket_init(&l->requests, &params->requests);
	limit_bucket_init(&l->bytes, &params->bytes);
}

u64 limit_wait(const struct limit_share *s, u64 now)
{
	u64 wait;

	if (s->due <= TICKS(now))
		return 0;
	wait = (s->due >> TICK_SHIFT) + 1 - now;
	if (wait > WAIT_MAX)
		return WAIT_MAX;
	return wait > TURN_NS ? wait : TURN_NS;
}

/* What was paid longer ago than the burst counts no more. */
static u64 limit_paid(const struct limit_bucket *b, u64 paid, u64 now)
{
	u64 oldest = now > b->burst ? now - b->burst : 0;

	return paid > oldest ? paid : oldest;
}

static bool limit_has_room(const struct limit_bucket *b, u64 now, u64 taken)
{
	u64 paid = limit_paid(b, read_once(&b->paid), now);
	u64 room = now > paid ? now - paid : 0;

	if (room < TICKS(TURN_NS))
		room = TICKS(TURN_NS);
	return limit_price(b, taken) <= room;
}

bool limit_allows(const struct limit_share *s, u64 now,
		  const struct limit_amount *taken)
{
	const struct limit *l = s->limit;

	return limit_has_room(&l->requests, TICKS(now), taken->requests) &&
	       limit_has_room(&l->bytes, TICKS(now), taken->bytes);
}

/* Returns when @n, and all that was taken before, is paid for. */
static u64 limit_bucket_pay(struct limit_bucket *b, u64 now, u64 n)
{
	u64 price = limit_price(b, n);
	u64 old = read_once(&b->paid);
	u64 paid;

	if (!price)
		return 0;
	do {
		paid = limit_paid(b, old, now) + price;
		if (paid > now + TICKS(DEBT_MAX))
			paid = now + TICKS(DEBT_MAX);
	} while (!__atomic_compare_exchange_n(&b->paid, &old, paid, true,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return paid;
}

void limit_pay(struct limit_share *s, u64 now, const struct limit_amount *taken)
{
	u64 requests = limit_bucket_pay(&s->limit->requests, TICKS(now),
					taken->requests);
	u64 bytes = limit_bucket_pay(&s->limit->bytes, TICKS(now),
				     taken->bytes);

	s->due = requests > bytes ? requests : bytes;
}
