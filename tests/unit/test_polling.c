// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a thread polls.  Time is the test's own.
 */
#include "kvm/iothread.h"
#include "kvm/polling.h"
#include <check.h>
#include <stdlib.h>

static struct polling polling;
static struct poll_trial trial;
static u64 now;

static void setup(void)
{
	const struct iothread_poll how = { .max_ns = 200000, .trial = &trial };

	polling = (struct polling){ 0 };
	poll_trial_init(&trial, NULL, 0);
	polling_set(&polling, &how);
	now = 1000000000;
}

static bool polls(void)
{
	polling_learn(&polling, 1000, now);	/* work comes soon */
	return polling_budget(&polling);
}

START_TEST(test_budget)
{
	ck_assert_uint_eq(polling_budget(&polling), 0);
	polling_learn(&polling, 200000, now);
	ck_assert_uint_eq(polling_budget(&polling), 4000);
	for (unsigned int i = 1; i < 20; i++)
		polling_learn(&polling, 200000, now);
	ck_assert_uint_eq(polling_budget(&polling), 200000);
	for (unsigned int i = 0; i < 5; i++)
		polling_learn(&polling, 200001, now);
	ck_assert_uint_eq(polling_budget(&polling), 6250);
	polling_learn(&polling, 200001, now);
	ck_assert_uint_eq(polling_budget(&polling), 0);
}
END_TEST

/* It is set while guests run: what was learnt must keep to it. */
START_TEST(test_set)
{
	const struct iothread_poll less = { .max_ns = 10000 }, off = { 0 };
	const struct iothread_poll always = { .always = true };

	for (unsigned int i = 0; i < 20; i++)
		ck_assert(polls());
	ck_assert_uint_eq(polling_budget(&polling), 200000);
	polling_set(&polling, &less);
	ck_assert_uint_eq(polling_budget(&polling), 10000);
	polling_set(&polling, &off);
	ck_assert(!polls());
	polling_set(&polling, &always);
	ck_assert_uint_eq(polling_budget(&polling), POLLING_TOLD_NS);
}
END_TEST

/* The budget is learnt all the same. */
START_TEST(test_trial)
{
	trial.off = true;
	for (unsigned int i = 0; i < 20; i++)
		ck_assert(!polls());
	trial.off = false;
	ck_assert_uint_eq(polling_budget(&polling), 200000);
}
END_TEST

/* Where the budget is small, half a millisecond; where it is large, half of it. */
START_TEST(test_long_look)
{
	const struct iothread_poll large = { .max_ns = 2000000 };
	u64 longest = _i ? 999999 : 499999;

	if (_i)
		polling_set(&polling, &large);
	ck_assert(polls());
	polling_looked(&polling, now, longest);
	ck_assert(polls());
	polling_looked(&polling, now, longest + 1);
	ck_assert(!polls());
	now += 64 * (longest + 1) - 1;
	ck_assert(!polls());
	now++;
	ck_assert(polls());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("polling");
	TCase *tc = tcase_create("polling");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_budget);
	tcase_add_test(tc, test_set);
	tcase_add_test(tc, test_trial);
	tcase_add_loop_test(tc, test_long_look, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
