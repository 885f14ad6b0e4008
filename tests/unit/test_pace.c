// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many requests a queue waits for: a driver of a fixed depth, one that
 * changes it, one that is slow, one that goes away.  Time is the test's own.
 */
#include "virtio/pace.h"
#include <check.h>
#include <stdlib.h>

static struct pace pace;
static u64 now;

static void setup(void)
{
	pace_init(&pace, 256);
	now = 1000000000;
}

/*
 * A driver that brings its next requests one by one, @gap ns each, after the
 * last batch was complete; the queue takes them when it does not wait any more.
 * Returns how many were taken, and served at once.
 */
static unsigned int batch(unsigned int depth, u64 gap)
{
	unsigned int waiting = 0;

	while (waiting < depth) {
		now += gap;
		waiting++;
		if (!pace_patience(&pace, waiting, now))
			break;
	}
	if (waiting == depth)
		now += pace_patience(&pace, waiting, now);
	pace_took(&pace, waiting, now);
	now += (depth - waiting) * gap;	/* the rest comes meanwhile */
	pace_idle(&pace, depth, now);
	return waiting;
}

START_TEST(test_low_depth_never_waits)
{
	for (unsigned int i = 0; i < 1000; i++) {
		u64 start = now;

		ck_assert_uint_eq(batch((unsigned int)_i, 1000), 1);
		ck_assert_uint_eq(now - start, (u64)_i * 1000);
		ck_assert_uint_eq(pace.want, 1);
	}
}
END_TEST

/* All there is, up to 32, soon, and never in vain. */
START_TEST(test_fixed_depth)
{
	static const unsigned int depths[] = { 4, 8, 16, 32, 40, 64, 256 };
	unsigned int depth = depths[_i];

	for (unsigned int i = 0; i < 10; i++)
		batch(depth, 2000);
	for (unsigned int i = 0; i < 100; i++)
		ck_assert_uint_eq(batch(depth, 2000), depth < 32 ? depth : 32);
	ck_assert_uint_eq(pace.vain, 0);
}
END_TEST

/* From 32 in flight to one: the first waits, within bounds; then none does. */
START_TEST(test_falls_to_one)
{
	u64 start;

	for (unsigned int i = 0; i < 20; i++)
		batch(32, 2000);
	start = now;
	ck_assert_uint_eq(batch(1, 2000), 1);
	ck_assert_uint_gt(now - start, 2000);
	ck_assert_uint_lt(now - start, 8 * 32 * 2000);
	for (unsigned int i = 0; i < 10; i++) {
		start = now;
		batch(1, 2000);
		ck_assert_uint_eq(now - start, 2000);
	}
}
END_TEST

/* A driver that changes its depth each time waits for half of the time at most. */
START_TEST(test_fickle_depth)
{
	u64 start = now, useful = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		unsigned int depth = i % 2 ? 32 : 1;

		useful += depth * 2000;
		batch(depth, 2000);
	}
	ck_assert_uint_lt(now - start, 3 * useful / 2);
}
END_TEST

/*
 * Two bursts and a flush, as a journal does it, again and again: what a burst
 * never needed more than once does not keep the flush waiting.
 */
START_TEST(test_flush_behind_bursts)
{
	u64 waited = 0, longest = 0, useful = 0;

	for (unsigned int i = 0; i < 3000; i++) {
		unsigned int depth = i % 3 == 2 ? 1 : 8;
		u64 start = now, extra;

		batch(depth, 2000);
		useful += depth * 2000;
		extra = now - start - depth * 2000;
		waited += depth == 1 ? extra : 0;
		longest = extra > longest ? extra : longest;
	}
	ck_assert_uint_lt(longest, 500000);
	ck_assert_uint_lt(waited, useful / 10);
}
END_TEST

/* A slower one is waited for longer, but no longer than it takes. */
START_TEST(test_learns_to_be_patient)
{
	unsigned int taken = 0;

	for (unsigned int i = 0; i < 200; i++)
		batch(32, 30000);
	for (unsigned int i = 0; i < 100; i++)
		taken += batch(32, 30000);
	ck_assert_uint_ge(taken, 90 * 32);
}
END_TEST

/* Nothing comes: the queue stops waiting, and the next one is taken at once. */
START_TEST(test_gives_up)
{
	u64 patience;

	for (unsigned int i = 0; i < 20; i++)
		batch(32, 2000);
	patience = pace_patience(&pace, 0, now);
	ck_assert_uint_gt(patience, 0);
	now += patience - 1;
	ck_assert_uint_eq(pace_patience(&pace, 0, now), 1);
	now++;
	ck_assert_uint_eq(pace_patience(&pace, 0, now), 0);
	pace_give_up(&pace);
	ck_assert_uint_eq(pace.want, 1);
	ck_assert_int_eq(pace_took(&pace, 1, now), PACE_NOT_HELD);
}
END_TEST

/*
 * What was in flight and what waits can be more than the ring holds: such a
 * number never comes, and would be waited for until patience ends.
 */
START_TEST(test_no_more_than_the_ring)
{
	for (unsigned int size = 1; size <= 64; size *= 2) {
		unsigned int most = size < 4 ? 1 : size < 32 ? size : 32;

		pace_init(&pace, size);
		for (unsigned int i = 0; i < 100; i++) {
			now += 2000;
			pace_idle(&pace, 2 * size - 1, now);
			ck_assert_uint_le(pace.want, most);
			now += pace_patience(&pace, 0, now);
			pace_took(&pace, 2 * size, now);
			ck_assert_uint_le(pace.want, most);
		}
		ck_assert_uint_eq(pace.want, most);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pace");
	TCase *tc = tcase_create("pace");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_low_depth_never_waits, 1, 4);
	tcase_add_loop_test(tc, test_fixed_depth, 0, 7);
	tcase_add_test(tc, test_falls_to_one);
	tcase_add_test(tc, test_fickle_depth);
	tcase_add_test(tc, test_learns_to_be_patient);
	tcase_add_test(tc, test_flush_behind_bursts);
	tcase_add_test(tc, test_gives_up);
	tcase_add_test(tc, test_no_more_than_the_ring);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
