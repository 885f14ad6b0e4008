// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk with iops= and bps= on real threads, in real time: the rate, shares
 * of the queues, what the threads do meanwhile, resets.  What limits do at which
 * moment is in test_limit.c.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c */
#include "barrier.h"
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define BURST_NS 10000000	/* the least: late by less costs nothing */
#define TRIES 3			/* until the machine was not too busy */

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * SECOND + (u64)now.tv_nsec;
}

static struct ring_buf bufs[QUEUES_MAX][3];	/* all of a queue are this one */

/* Four queues on @n threads, ready, as blk_params.limits says. */
static void open_limited(unsigned int n)
{
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), QUEUES_MAX, n, 256);
	drive(DRIVER_FEATURES);
	for (unsigned int q = 0; q < QUEUES_MAX; q++)
		request_bufs(slot_of(q, 0), VIRTIO_BLK_T_IN, 0, 512, bufs[q]);
}

static void unlimited(void)
{
	blk_params.limits = (struct limit_params){ 0 };
}

static void submit_read(void)
{
	add_request(0, &slots[0], VIRTIO_BLK_T_IN, 0, 4096);
	ring_kick(&rings[0]);
}

struct pumped {
	u64 ns;			/* that it took */
	u64 late;		/* of that, when this thread was not run */
	u64 sum;
	u64 got[QUEUES_MAX];
};

/* Sleep a little; what is more than a burst is the machine's fault. */
static u64 nap(void)
{
	u64 begin = now_ns(), ns;

	usleep(200);
	ns = now_ns() - begin;
	return ns > BURST_NS / 2 ? ns : 0;
}

/* Fill all queues again and again until @total are done. */
static struct pumped pump_limited(u64 total)
{
	struct pumped p = { 0 };
	u64 begin = now_ns();
	u32 id, len;

	while (p.sum < total) {
		for (unsigned int q = 0; q < QUEUES_MAX; q++) {
			while (ring_get(&rings[q], &id, &len)) {
				p.got[q]++;
				p.sum++;
			}
			while (ring_add(&rings[q], bufs[q], 3) >= 0)
				;
			ring_kick(&rings[q]);
		}
		p.late += nap();
	}
	p.ns = now_ns() - begin;
	return p;
}

/*
 * Not faster than @rate, and not slower: that it was once is enough, since only
 * another program can have made it slower before.
 */
static struct pumped expect_rate(u64 rate)
{
	u64 total = rate / 2, ns = total * SECOND / rate;
	struct pumped p;

	for (unsigned int i = 0; i < TRIES; i++) {
		p = pump_limited(total);
		/* A burst, 200 us or a request of each queue. */
		ck_assert_uint_ge(p.ns, (total - QUEUES_MAX) * SECOND / rate * 98 / 100 -
						BURST_NS - 1000000);
		if (p.ns <= p.sum * SECOND / rate * 102 / 100 + p.late)
			return p;
	}
	/* A sanitizer's threads may be slower than the highest rate. */
	ck_assert_msg(test_scale(100) < 100, "%llu ns, not %llu",
		      (unsigned long long)p.ns, (unsigned long long)ns);
	return p;
}

/*
 * Four queues that always have more, on one to four threads: together they get
 * what the limit allows, and each a good part; the threads sleep meanwhile.
 */
START_TEST(test_limited)
{
	static const u64 iops[] = { 100, 5000, 100000 };
	unsigned int n = 1u << _i / 3;
	u64 rate = iops[_i % 3], sleeps = 0, before, begin;
	struct pumped p;

	blk_params.limits.requests = (struct limit_rate){ rate, 1 };
	open_limited(n);
	begin = now_ns();
	p = expect_rate(rate);
	before = now_ns() - begin;
	for (unsigned int q = 0; q < QUEUES_MAX; q++) {
		ck_assert_uint_ge(p.got[q], rate / 2 / QUEUES_MAX / 4);
		ck_assert_uint_gt(STAT(q, throttled), 0);
		ck_assert_uint_gt(STAT(q, throttled_ns), 0);
		ck_assert_uint_le(STAT(q, throttled_ns), 2 * before);
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct iothread_stats *t = iothread_stats(threads[i]);

		sleeps += read_once(&t->sleeps);
		ck_assert_uint_lt(read_once(&t->poll_vain_ns), before / 4);
	}
	ck_assert_uint_le(sleeps, before / 200000 * n * QUEUES_MAX + 100);
	/* The reset waits for no turn. */
	begin = now_ns();
	set_status(0);
	ck_assert_uint_lt(now_ns() - begin, SECOND);
	close_blk();
}
END_TEST

/* Bytes of reads and writes alike; a flush is free, but waits behind them. */
START_TEST(test_bytes_limited)
{
	u64 begin;

	blk_params.limits.bytes = (struct limit_rate){ 40960, 1 };
	open_limited(1);
	begin = now_ns();
	for (unsigned int i = 0; i < 6; i++) {
		expect_request(i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 0, 4096,
			       VIRTIO_BLK_S_OK, i % 2 ? 4097 : 1);
	}
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK, 1);
	/* The first at once, five and the flush after 100 ms each; 10 of burst. */
	ck_assert_uint_ge(now_ns() - begin, 578000000);
	ck_assert_uint_ge(STAT(0, throttled), 1);
	ck_assert_uint_le(STAT(0, throttled), 6);
	close_blk();
}
END_TEST

/* A reset of a queue that is throttled for an hour, and its next life. */
START_TEST(test_reset_while_throttled)
{
	u64 begin = now_ns();

	blk_params.limits.bytes = (struct limit_rate){ 1, 1 };
	open_limited(1);
	expect_request(VIRTIO_BLK_T_IN, 0, 4096, VIRTIO_BLK_S_OK, 4097);
	submit_read();
	while (!STAT(0, throttled))
		usleep(1000);
	usleep(20000);
	ck_assert(!ring_used_pending(&rings[0]));
	set_status(0);
	ck_assert_uint_eq(ring_used_idx(&rings[0]), 1);
	ck_assert_uint_gt(STAT(0, throttled_ns), 10000000);
	drive(DRIVER_FEATURES);	/* it does not get more by that */
	submit_read();
	usleep(20000);
	ck_assert(!ring_used_pending(&rings[0]));
	set_status(0);
	ck_assert_uint_lt(now_ns() - begin, 5000000000);
	close_blk();
}
END_TEST

static void add_limit(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "limit, packed" : "limit", packed);

	tcase_add_checked_fixture(tc, unlimited, NULL);
	tcase_add_loop_test(tc, test_limited, 0, 9);
	tcase_add_test(tc, test_bytes_limited);
	tcase_add_test(tc, test_reset_while_throttled);
}

int main(void)
{
	Suite *suite = suite_create("blk-limit");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++)
		add_limit(suite, packed);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
