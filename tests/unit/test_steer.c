// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts steered to CPUs and back, in a /proc of files; those that the kernel keeps for
 * itself are tests/system/'s.
 */
/* helpers: topology_rig.c disk_rig.c */
#include "steer.h"
#include "claims.h"
#include "disk_rig.h"
#include "topology_rig.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct topology *t;
static struct topology_device device;
static struct rig_capture capture;
static const struct cpu_list cpus = { .n = 2, .cpu = { 10, 8 } };

static void setup(void)
{
	t = rig_begin_own("xeon-2n-smt2");
	ck_assert_int_eq(topology_find_device(t, "nvme0n1", &device), 0);
	ck_assert_uint_eq(device.nirqs, 4);
	for (unsigned int i = 0; i < device.nirqs; i++) {
		char path[64];

		snprintf(path, sizeof(path), "proc/irq/%u/smp_affinity_list",
			 device.irq[i]);
		rig_write(path, "0-31\n");
	}
}

static void teardown(void)
{
	rig_end(t);
}

static const char *affinity(unsigned int irq)
{
	static char line[64];

	ck_assert_int_ge(topology_file(rig_root, line, sizeof(line),
				       "proc/irq/%u/smp_affinity_list", irq), 0);
	return line;
}

static struct steer *steer(int claims)
{
	struct steer *s;

	rig_capture_start(&capture);
	s = steer_new(rig_root, claims);
	ck_assert_int_eq(steer_irqs(s, &device, &cpus), 0);
	rig_capture_end(&capture);
	return s;
}

START_TEST(test_there_and_back)
{
	struct steer *s = steer(-1);

	rig_expect_line(&capture, "4 of 4 interrupts of nvme0n1");
	/* A file keeps what was behind a shorter text. */
	ck_assert(!strncmp(affinity(130), "10", 2));
	ck_assert(!strncmp(affinity(131), "8", 1));
	ck_assert(!strncmp(affinity(132), "10", 2));
	steer_restore(s);
	for (unsigned int irq = 130; irq < 134; irq++)
		ck_assert_str_eq(affinity(irq), "0-31");
}
END_TEST

/* What was there before the first disk comes back, not what that one was given. */
START_TEST(test_two_disks_on_one_device)
{
	static const struct cpu_list second = { .n = 1, .cpu = { 12 } };
	struct steer *s = steer(-1);

	rig_capture_start(&capture);
	ck_assert_int_eq(steer_irqs(s, &device, &second), 0);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "4 of 4 interrupts of nvme0n1", "already");
	ck_assert(!strncmp(affinity(130), "10", 2));
	steer_restore(s);
	for (unsigned int irq = 130; irq < 134; irq++)
		ck_assert_str_eq(affinity(irq), "0-31");
}
END_TEST

START_TEST(test_not_there)
{
	char path[128];
	struct steer *s;

	device.nirqs = 1;
	snprintf(path, sizeof(path), "%s/proc/irq/130/smp_affinity_list",
		 rig_root);
	ck_assert_int_eq(unlink(path), 0);
	s = steer(-1);
	rig_expect_line(&capture, "warning", "--affinity auto,irq", "No such file");
	steer_restore(s);
}
END_TEST

START_TEST(test_none)
{
	device.nirqs = 0;
	steer_restore(steer(-1));
	rig_expect_line(&capture, "nvme0n1 has no interrupts");
	steer_restore(NULL);
}
END_TEST

/* The second guest would take the first one's CPU for what was there before. */
START_TEST(test_two_guests)
{
	int claims[2] = { claims_open(rig_root), claims_open(rig_root) };
	struct steer *first = steer(claims[0]), *second;

	rig_expect_line(&capture, "4 of 4 interrupts of nvme0n1");
	second = steer(claims[1]);
	rig_expect_line(&capture, "warning", "4 of 4 interrupts of nvme0n1",
			"another guest");
	steer_restore(first);
	close(claims[0]);
	steer_restore(second);
	for (unsigned int irq = 130; irq < 134; irq++)
		ck_assert_str_eq(affinity(irq), "0-31");
	/* Whose turn it is then. */
	second = steer(claims[1]);
	rig_expect_line(&capture, "4 of 4 interrupts of nvme0n1", "come to");
	steer_restore(second);
	close(claims[1]);
}
END_TEST

/* What irqbalance or a human has moved is not moved back. */
START_TEST(test_moved_meanwhile)
{
	struct steer *s = steer(-1);

	rig_write("proc/irq/131/smp_affinity_list", "5\n");
	rig_capture_start(&capture);
	steer_restore(s);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "1 interrupts were moved");
	ck_assert_str_eq(affinity(131), "5");
	ck_assert_str_eq(affinity(130), "0-31");
	ck_assert_str_eq(affinity(132), "0-31");
}
END_TEST

/* Who cannot write it back says what the user can write where. */
START_TEST(test_no_way_back)
{
	char path[128];
	struct steer *s;

	device.nirqs = 1;
	s = steer(-1);
	snprintf(path, sizeof(path), "%s/proc/irq/130/smp_affinity_list",
		 rig_root);
	ck_assert_int_eq(unlink(path), 0);
	rig_capture_start(&capture);
	steer_restore(s);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "warning", "interrupt 130",
			"write 0-31 to /", "/proc/irq/130/smp_affinity_list");
}
END_TEST

static Suite *steer_suite(void)
{
	Suite *suite = suite_create("steer");
	TCase *tc = tcase_create("steer");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_there_and_back);
	tcase_add_test(tc, test_two_disks_on_one_device);
	tcase_add_test(tc, test_two_guests);
	tcase_add_test(tc, test_moved_meanwhile);
	tcase_add_test(tc, test_not_there);
	tcase_add_test(tc, test_no_way_back);
	tcase_add_test(tc, test_none);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(steer_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
