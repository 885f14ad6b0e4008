// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of a wake-up: it ends, it is a time, and several may measure at once.
 */
#include "kvm/wakeup.h"
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 4

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* More than half of the rounds, of two wake-ups each, took so long or longer. */
START_TEST(test_cost)
{
	u64 start = now_ns(), cost = wakeup_cost(), took = now_ns() - start;

	ck_assert_uint_gt(cost, 0);
	ck_assert_uint_le(cost, took / 4 / 2);
}
END_TEST

static void *measure(void *arg)
{
	*(u64 *)arg = wakeup_cost();
	return NULL;
}

START_TEST(test_at_once)
{
	pthread_t threads[THREADS];
	u64 cost[THREADS] = { 0 };

	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, measure,
						&cost[i]),
				 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_gt(cost[i], 0);
	}
}
END_TEST

START_TEST(test_cpus)
{
	cpu_set_t all, one;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	ck_assert_uint_eq(cpus_allowed(), CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_uint_eq(cpus_allowed(), 1);
	ck_assert_uint_gt(wakeup_cost(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wakeup");
	TCase *tc = tcase_create("cost");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_cost);
	tcase_add_test(tc, test_at_once);
	tcase_add_test(tc, test_cpus);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
