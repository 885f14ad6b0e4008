// SPDX-License-Identifier: GPL-2.0-only
/*
 * iops= and bps=: the rate to 2 % at any value, alone and over several queues
 * and threads, bursts, shares of the queues.  Time is the test's own.
 */
#include "virtio/limit.h"
#include <check.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#define SECOND 1000000000ull
#define QUEUES_MAX 8

static struct limit limit;
static struct limit_share shares[QUEUES_MAX];
static u64 now, start;
static u64 taken[QUEUES_MAX];	/* requests */

static void setup(void)
{
	now = start = 1000 * SECOND;
}

static void open_limit(u64 iops, u64 burst, u64 bps, u64 bytes_burst)
{
	const struct limit_params params = {
		.requests = { iops, burst },
		.bytes = { bps, bytes_burst },
	};

	ck_assert(limit_wanted(&params));
	limit_init(&limit, &params);
	for (unsigned int q = 0; q < QUEUES_MAX; q++) {
		shares[q] = (struct limit_share){ .limit = &limit };
		taken[q] = 0;
	}
}

/* As a queue does it: up to @most requests of @len bytes; how many it were. */
static u64 take(struct limit_share *s, u64 at, u64 most, u64 len)
{
	struct limit_amount a = { 0 };

	if (limit_wait(s, at))
		return 0;
	while (a.requests < most && limit_allows(s, at, &a)) {
		a.requests++;
		a.bytes += len;
	}
	limit_pay(s, at, &a);
	return a.requests;
}

/*
 * @queues that always have requests, until @end; each sleeps as long as it is
 * told, and @late more.
 */
static u64 run_queues(unsigned int queues, u64 end, u64 len, u64 late)
{
	u64 wake[QUEUES_MAX] = { 0 }, sum = 0;

	while (now < end) {
		u64 next = end;

		for (unsigned int q = 0; q < queues; q++) {
			u64 n;

			if (wake[q] <= now) {
				n = take(&shares[q], now, 256, len);
				taken[q] += n;
				sum += n;
				wake[q] = now + limit_wait(&shares[q], now);
				if (wake[q] > now)
					wake[q] += late;
			}
			if (wake[q] < next)
				next = wake[q];
		}
		now = next;
	}
	return sum;
}

/* Within 2 %, once the burst is over; by whole requests of @len. */
static void expect_rate_of(u64 len, u64 got, u64 rate, u64 ns)
{
	double want = (double)rate * (double)ns / 1e9;

	ck_assert_msg((double)got >= 0.98 * want - (double)len &&
			      (double)got <= 1.02 * want + (double)len,
		      "%llu in %llu ns, not %.0f", (unsigned long long)got,
		      (unsigned long long)ns, want);
}

static void expect_rate(u64 got, u64 rate, u64 ns)
{
	expect_rate_of(1, got, rate, ns);
}

static const u64 rates[] = { 1, 10, 333, 1000, 30000, 100000, 1000000, 7777777,
			     LIMIT_REQUESTS_MAX };
#define RATES (int)(sizeof(rates) / sizeof(rates[0]))

START_TEST(test_requests_a_second)
{
	u64 rate = rates[_i], ns = 500 * SECOND / (rate < 1000 ? rate : 1000);

	for (unsigned int queues = 1; queues <= QUEUES_MAX; queues *= 2) {
		open_limit(rate, 1, 0, 0);
		run_queues(queues, now + SECOND, 4096, 1000);
		expect_rate(run_queues(queues, now + ns, 4096, 1000), rate, ns);
	}
}
END_TEST

/* Wake-ups that come late, as on a busy host, cost nothing. */
START_TEST(test_late_wakeups)
{
	u64 rate = rates[_i], ns = 500 * SECOND / (rate < 1000 ? rate : 1000);

	open_limit(rate, 0, 0, 0);
	run_queues(4, now + SECOND, 4096, 5000000);
	expect_rate(run_queues(4, now + ns, 4096, 5000000), rate, ns);
}
END_TEST

static const u64 bps[] = { 4096, 1000000, 100u << 20, 3000000000, LIMIT_BYTES_MAX };

START_TEST(test_bytes_a_second)
{
	static const u64 lens[] = { 512, 4096, 65536, 1u << 20 };
	u64 rate = bps[_i];

	for (unsigned int i = 0; i < 4; i++) {
		/* 20000 requests, or several bursts */
		u64 len = lens[i], ns = 20 * len * 1000 * SECOND / rate, got;

		if (ns < SECOND / 20)
			ns = SECOND / 20;
		open_limit(0, 0, rate, 1);
		run_queues(4, now + ns / 4, len, 0);
		got = len * run_queues(4, now + ns, len, 0);
		expect_rate_of(len, got, rate, ns);
	}
}
END_TEST

/* Of two limits the one that is reached first counts. */
START_TEST(test_both)
{
	open_limit(1000, 1, 1u << 20, 1);
	run_queues(2, now + SECOND, 4096, 0);
	expect_rate(run_queues(2, now + 10 * SECOND, 4096, 0), 256, 10 * SECOND);
	expect_rate(run_queues(2, now + 10 * SECOND, 512, 0), 1000, 10 * SECOND);
}
END_TEST

/* So many at once after a pause, then by the rate; the pause does not matter. */
START_TEST(test_burst)
{
	static const u64 pauses[] = { 1, 1000, 1000000 };

	open_limit(10, 5, 0, 0);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(take(&shares[0], now, 256, 4096), 5);
		ck_assert_uint_eq(take(&shares[0], now, 256, 4096), 0);
		ck_assert_uint_eq(limit_wait(&shares[0], now), SECOND / 10 + 1);
		now += SECOND / 10 - 1;
		ck_assert_uint_eq(take(&shares[0], now, 256, 4096), 0);
		now += 1;
		ck_assert_uint_eq(take(&shares[0], now, 256, 4096), 1);
		now += pauses[i] * SECOND;
	}
}
END_TEST

/* Without iops-burst: a tenth of a second. */
START_TEST(test_burst_default)
{
	open_limit(1000, 0, 0, 0);
	ck_assert_uint_eq(take(&shares[0], now, 256, 4096), 100);
	open_limit(0, 0, 40960000, 0);
	ck_assert_uint_eq(take(&shares[0], now, 2000, 4096), 1000);
	open_limit(3, 0, 0, 0);
	ck_assert_uint_eq(take(&shares[0], now, 256, 4096), 1);
	/* A second after boot there is not more. */
	open_limit(1000, 100000, 0, 0);
	ck_assert_uint_le(take(&shares[0], SECOND, 2000, 4096), 1001);
}
END_TEST

/* A request that is larger than the burst goes, and those behind it wait. */
START_TEST(test_large_request)
{
	open_limit(0, 0, 1u << 20, 4096);
	ck_assert_uint_eq(take(&shares[0], now, 1, 10u << 20), 1);
	ck_assert_uint_gt(limit_wait(&shares[0], now), 98 * SECOND / 10);
	ck_assert_uint_le(limit_wait(&shares[0], now), 10 * SECOND + 1);
}
END_TEST

/*
 * Descriptors may name the same memory again and again: one request is as long
 * as the disk.  Its price, and the sum of many, ends at a year and never wraps.
 */
START_TEST(test_absurd_request)
{
	static const u64 lens[] = {
		1153000000, 4ull << 30, 1ull << 40, 1ull << 62, ~0ull,
	};
	const u64 year = 365 * 86400 * SECOND;

	open_limit(0, 0, 1, 1);
	for (unsigned int i = 0; i < 30; i++) {
		for (unsigned int q = 0; q < QUEUES_MAX; q++) {
			ck_assert_uint_eq(take(&shares[q], now, 1, lens[_i]), 1);
			ck_assert_uint_gt(limit_wait(&shares[q], now), SECOND);
			/* A sleep that any system call can express. */
			ck_assert_uint_le(limit_wait(&shares[q], now),
					  INT_MAX * 1000000ull);
			ck_assert_uint_gt(limit_wait(&shares[q],
						     now + year - SECOND), 0);
		}
		now += year + 1;
	}
	ck_assert_uint_eq(limit_wait(&shares[0], now), 0);
}
END_TEST

/* What transfers nothing and counts for nothing never has to wait. */
START_TEST(test_flushes_are_free)
{
	const struct limit_amount nothing = { 0 };

	open_limit(1, 1, 1, 1);
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert_uint_eq(limit_wait(&shares[0], now), 0);
		limit_pay(&shares[0], now, &nothing);
	}
	ck_assert_uint_eq(limit.requests.paid, 0);
}
END_TEST

/*
 * Queues on one thread, looked at in the same order each time, and one that is
 * only looked at now and then: equal shares, and none starves.
 */
START_TEST(test_shares)
{
	u64 rate = rates[_i], least = ~0ull, most = 0;

	open_limit(rate, 1, 0, 0);
	run_queues(4, now + 1000 * SECOND / rate + SECOND, 4096, 50000);
	for (unsigned int q = 0; q < 4; q++) {
		least = taken[q] < least ? taken[q] : least;
		most = taken[q] > most ? taken[q] : most;
	}
	ck_assert_uint_gt(least, 0);
	ck_assert_uint_le(most - least, most / 4 + 1);
}
END_TEST

/* One that came back finds a debt of others, but does not wait for all of it. */
START_TEST(test_newcomer)
{
	open_limit(100, 1, 0, 0);
	run_queues(QUEUES_MAX - 1, now + 10 * SECOND, 4096, 0);
	ck_assert_uint_eq(limit_wait(&shares[QUEUES_MAX - 1], now), 0);
	ck_assert_uint_eq(take(&shares[QUEUES_MAX - 1], now, 256, 4096), 1);
	ck_assert_uint_le(limit_wait(&shares[QUEUES_MAX - 1], now),
			  QUEUES_MAX * SECOND / 100 + 1);
}
END_TEST

/* --- threads ------------------------------------------------------------- */

#define THREAD_NS 2000000000ull

struct runner {
	struct limit_share share;
	u64 taken;
	u64 last;
};

static u64 shared_now;		/* moved on by whoever is ahead */

/* Each thread lives in a time that all share, and never waits for real. */
static void *run_thread(void *arg)
{
	struct runner *r = arg;
	u64 at;

	for (;;) {
		u64 wait;

		at = __atomic_load_n(&shared_now, __ATOMIC_RELAXED);
		if (at - start >= THREAD_NS)
			return NULL;
		r->taken += take(&r->share, at, 16, 4096);
		wait = limit_wait(&r->share, at);
		if (wait)
			__atomic_fetch_add(&shared_now, 1000, __ATOMIC_RELAXED);
	}
}

/* Every request is paid, whatever threads pay at the same time. */
START_TEST(test_threads)
{
	static const u64 iops[] = { 10, 10000, 1000000 };
	struct runner runners[4] = { 0 };
	pthread_t threads[4];
	u64 sum = 0;

	open_limit(iops[_i], 1, 0, 0);
	shared_now = now;
	for (unsigned int i = 0; i < 4; i++) {
		runners[i].share.limit = &limit;
		pthread_create(&threads[i], NULL, run_thread, &runners[i]);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		sum += runners[i].taken;
	}
	/* 10 ms of burst, and each thread may be a turn ahead. */
	ck_assert_uint_ge(sum, iops[_i] * THREAD_NS / SECOND * 98 / 100);
	ck_assert_uint_le(sum, iops[_i] * THREAD_NS / SECOND * 102 / 100 + 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("limit");
	TCase *tc = tcase_create("limit");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_requests_a_second, 0, RATES);
	tcase_add_loop_test(tc, test_late_wakeups, 0, RATES);
	tcase_add_loop_test(tc, test_bytes_a_second, 0, 5);
	tcase_add_test(tc, test_both);
	tcase_add_test(tc, test_burst);
	tcase_add_test(tc, test_burst_default);
	tcase_add_test(tc, test_large_request);
	tcase_add_loop_test(tc, test_absurd_request, 0, 5);
	tcase_add_test(tc, test_flushes_are_free);
	tcase_add_loop_test(tc, test_shares, 0, RATES - 2);
	tcase_add_test(tc, test_newcomer);
	tcase_add_loop_test(tc, test_threads, 0, 3);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
