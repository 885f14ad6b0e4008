/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many requests and bytes a second a guest may have of a disk, all of its
 * queues together (iops=, bps=).
 *
 * Two buckets, of requests and of bytes.  A bucket is one word: the time at
 * which all that was taken so far is paid for.  If that is over, the time since
 * then is what may be taken at once, up to the burst; else the bucket is in
 * debt.  A queue takes what there is, a request or 200 us of the rate at
 * least, adds the price to the word, and then takes no more until the time that
 * came out: when its own is paid, and all that others took before.  So the rate
 * holds to the last request, no queue is ahead by more than those 200 us, and
 * each has its turn.
 *
 * A debt ends at a year, so that no request, however long, makes it wrap.
 *
 * No lock, and one compare-and-swap for each bucket and batch.  Times are
 * CLOCK_MONOTONIC in ns.
 */
#ifndef LKVM_VIRTIO_LIMIT_H
#define LKVM_VIRTIO_LIMIT_H

#include "endian.h"

#define LIMIT_REQUESTS_MAX 10000000u		/* what is exact within 1 % */
#define LIMIT_BYTES_MAX (100ull << 30)
#define LIMIT_REQUESTS_BURST_MAX 1000000000u
#define LIMIT_BYTES_BURST_MAX (1ull << 40)

struct limit_rate {
	u64 rate;	/* a second; 0: no limit */
	u64 burst;	/* at once, after a pause; 0: what comes in 100 ms */
};

struct limit_params {
	struct limit_rate requests;
	struct limit_rate bytes;
};

struct limit_bucket {
	_Alignas(128) u64 paid;	/* ticks: when what was taken is paid for */
	u64 unit;		/* the price of one; 0: no limit */
	u64 burst;		/* ticks */
};

/* Shared by all queues of a disk. */
struct limit {
	struct limit_bucket requests;
	struct limit_bucket bytes;
};

/* A queue's own. */
struct limit_share {
	struct limit *limit;	/* NULL: there is none */
	u64 due;		/* ticks: nothing before */
};

struct limit_amount {
	u64 requests;
	u64 bytes;
};

/* Whether @params limit anything. */
bool limit_wanted(const struct limit_params *params);
void limit_init(struct limit *l, const struct limit_params *params);

/* How long from @now on all requests are to be left, ns, an hour at most; 0: take some. */
u64 limit_wait(const struct limit_share *s, u64 now);
/* Whether there is room for one more request behind @taken, not paid yet. */
bool limit_allows(const struct limit_share *s, u64 now,
		  const struct limit_amount *taken);
void limit_pay(struct limit_share *s, u64 now, const struct limit_amount *taken);

#endif
