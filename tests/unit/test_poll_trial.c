// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether polling pays: guests that are served faster with it, slower, or just
 * as fast, and those that change.  Time is the test's own.
 */
#include "guest_ring.h"
#include "kvm/poll_trial.h"
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#define SPAN 100000000

static struct poll_trial trial;
static u64 now, served;
static unsigned int luck;

static void compare(void)
{
	ck_assert(poll_trial_begin(&trial, now));
	poll_trial_compare(&trial, now, served);
	poll_trial_end(&trial);
}

static void setup(void)
{
	poll_trial_init(&trial, NULL, 0);
	now = 1000000000;
	served = 0;
	luck = 1;
	compare();	/* the first span begins */
}

/* Up to @percent more or less. */
static u64 about(u64 value, unsigned int percent)
{
	unsigned int one_of = 2 * percent + 1;

	luck = luck * 1103515245 + 12345;
	return value * (100 - percent + (luck >> 16) % one_of) / 100;
}

/*
 * A guest for @spans, for which @with requests in a second are served while the
 * threads poll, else @without.  Returns the spans with polling.
 */
static unsigned int serve(unsigned int spans, u64 with, u64 without,
			  unsigned int noise)
{
	unsigned int polled = 0;

	for (unsigned int i = 0; i < spans; i++) {
		u64 n = (trial.off ? without : with) / 10;

		polled += !trial.off;
		now += SPAN - 1;
		ck_assert(!poll_trial_begin(&trial, now));
		now++;
		served += about(n, noise);
		compare();
	}
	return polled;
}

/* Where it pays it goes on: one span of a hundred is for another trial. */
START_TEST(test_pays)
{
	unsigned int without = 10000 - serve(10000, 20000, 15000, 10);

	ck_assert_uint_gt(without, 0);
	ck_assert_uint_lt(without, 100);
	ck_assert_uint_gt(trial.trials, 0);
	ck_assert_uint_eq(trial.trials_lost, 0);
}
END_TEST

/* Where it costs it ends within a second. */
START_TEST(test_does_not_pay)
{
	ck_assert_uint_eq(serve(10, 15000, 20000, 0), 3);
	ck_assert_uint_lt(serve(10000, 15000, 20000, 10), 100);
	ck_assert_uint_eq(trial.trials_lost, trial.trials);
}
END_TEST

/* A guest that asks at a rate of its own is answered sooner. */
START_TEST(test_tie)
{
	ck_assert_uint_ge(serve(10000, 20000, 20000, 0), 9900);
	ck_assert_uint_ge(serve(10000, 19500, 20000, 0), 9900);
	ck_assert_uint_eq(trial.trials_lost, 0);
}
END_TEST

/* Noise of a fifth makes it err now and then, not for long. */
START_TEST(test_noise)
{
	ck_assert_uint_gt(serve(10000, 22000, 20000, 20), 9000);
	ck_assert_uint_lt(serve(10000, 18000, 20000, 20), 1000);
}
END_TEST

/* Another load: a new trial at once, if it is another rate; else in time. */
START_TEST(test_changes)
{
	serve(1000, 20000, 15000, 0);
	ck_assert_uint_le(serve(100, 5000, 7000, 0), 15);
	ck_assert_uint_ge(serve(100, 30000, 20000, 0), 85);
	serve(1000, 20000, 15000, 0);
	serve(500, 20000, 25000, 0);
	ck_assert_uint_le(serve(100, 20000, 25000, 0), 4);
}
END_TEST

/* More and more in each span, or fewer: it is not polling that does it. */
START_TEST(test_drift)
{
	u64 rate = 20000;

	for (unsigned int i = 0; i < 300; i++) {
		rate = _i ? rate * 101 / 100 : rate * 100 / 101;
		serve(1, rate, rate, 0);
	}
	ck_assert_uint_gt(trial.trials, 3);
	ck_assert_uint_eq(trial.trials_lost, 0);
}
END_TEST

/* What changes by itself within a trial ends it, and the next one comes later. */
START_TEST(test_unsteady)
{
	unsigned int polled = 0;

	for (unsigned int i = 0; i < 1000; i++)
		polled += serve(1, i % 2 ? 100000 : 10000,
				i % 2 ? 100000 : 10000, 0);
	ck_assert_uint_eq(trial.trials, 0);
	ck_assert_uint_ge(polled, 980);
	for (unsigned int i = 0; i < 1000; i++)
		polled += serve(1, i % 5 ? 100000 : 10000,
				i % 5 ? 100000 : 10000, 0);
	ck_assert_uint_eq(trial.trials_lost, 0);
	ck_assert_uint_ge(polled, 1940);
}
END_TEST

/* A guest that works for a while and waits for as long: few trials end. */
START_TEST(test_bursts)
{
	unsigned int polled = 0;

	for (unsigned int i = 0; i < 500; i++) {
		polled += serve(2, 20000, 15000, 0);
		polled += serve(2, 0, 0, 0);
	}
	ck_assert_uint_eq(trial.trials_lost, 0);
	ck_assert_uint_ge(polled, 1980);
}
END_TEST

/* Nothing to compare: hardly a request, or a long time without a look at them. */
START_TEST(test_idle)
{
	ck_assert_uint_eq(serve(1000, 319, 319, 0), 1000);
	for (unsigned int i = 0; i < 1000; i++) {
		now += 2 * SPAN + 1;
		served += 10000;
		compare();
		ck_assert(!trial.off);
	}
	ck_assert_uint_eq(trial.trials, 0);
	serve(10, 320, 320, 0);
	ck_assert_uint_eq(trial.trials, 1);
}
END_TEST

/* Polling cost much for a busy guest; a slow one may be polled for, at once or soon. */
START_TEST(test_forgets)
{
	serve(1000, 15000, 20000, 0);
	ck_assert(trial.off);
	if (_i) {
		poll_trial_reset(&trial);
		serve(1, 15000, 20000, 0);
	} else {
		serve(20, 200, 200, 0);
	}
	ck_assert(!trial.off);
	ck_assert(!trial.lost);
}
END_TEST

#define THREADS 8

static pthread_barrier_t barrier;
static bool inside;

/* Time goes on by itself: a span in a thousand looks. */
static void *one_thread(void *arg)
{
	u64 looks = 200000, mine = now + *(unsigned int *)arg;

	pthread_barrier_wait(&barrier);
	for (u64 i = 0; i < looks; i++) {
		mine += SPAN / 1000;
		if (!poll_trial_begin(&trial, mine))
			continue;
		expect(!inside);
		inside = true;
		served += 1000;
		poll_trial_compare(&trial, mine, served);
		inside = false;
		poll_trial_end(&trial);
	}
	return NULL;
}

/* All threads of a disk look, one goes on; it sees what the last one left. */
START_TEST(test_one_at_a_time)
{
	unsigned int ahead[THREADS];
	pthread_t threads[THREADS];
	u64 start = served;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned int i = 0; i < THREADS; i++) {
		ahead[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, one_thread,
						&ahead[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	ck_assert_uint_gt(served - start, 0);
	ck_assert_uint_le(served - start, 1000 * (200000 / 1000 + 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("poll_trial");
	TCase *tc = tcase_create("poll_trial");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_pays);
	tcase_add_test(tc, test_does_not_pay);
	tcase_add_test(tc, test_tie);
	tcase_add_test(tc, test_noise);
	tcase_add_test(tc, test_changes);
	tcase_add_loop_test(tc, test_drift, 0, 2);
	tcase_add_test(tc, test_unsteady);
	tcase_add_test(tc, test_bursts);
	tcase_add_test(tc, test_idle);
	tcase_add_loop_test(tc, test_forgets, 0, 2);
	tcase_add_test(tc, test_one_at_a_time);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
