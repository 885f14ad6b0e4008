// SPDX-License-Identifier: GPL-2.0-only
/*
 * The status and feature state machine of every virtio device (virtio 1.2,
 * 2.1, 2.2, 3.1), with a type of device that only notes what it is told.
 */
/* helpers: disk_rig.c */
#include "disk_rig.h"
#include "virtio/device.h"
#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#define NQUEUES 4
#define SIZE_MAX_OFFERED 256
#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)
#define OFFERED (VERSION_1 | 1ull << 29 | 1ull << 28 | 1ull << 9 | 1ull << 40)
#define ACK VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER VIRTIO_CONFIG_S_DRIVER
#define FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK VIRTIO_CONFIG_S_DRIVER_OK
#define NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define FAILED VIRTIO_CONFIG_S_FAILED

static struct virtio_device dev;
static unsigned int starts[NQUEUES], stops[NQUEUES], config_interrupts;
static int refuse_start;	/* queue, or -1 */
static u8 status_at_start;
static u64 features_at_start;
static unsigned int negotiations;
static u64 features_negotiated;
static u8 status_negotiated;

static int on_start(struct virtio_device *d, unsigned int q)
{
	starts[q]++;
	status_at_start = virtio_device_status(d);
	features_at_start = d->driver_features;
	if ((int)q != refuse_start)
		return 0;
	virtio_device_break(d, q, "ring");
	return -EINVAL;
}

static void on_stop(struct virtio_device *d, unsigned int q)
{
	(void)d;
	stops[q]++;
}

static void on_negotiated(struct virtio_device *d)
{
	negotiations++;
	features_negotiated = d->driver_features;
	status_negotiated = d->status;
}

static void on_config_interrupt(struct virtio_device *d)
{
	(void)d;
	config_interrupts++;
}

static const struct virtio_device_ops ops = {
	.id = 2,
	.queue_start = on_start,
	.queue_stop = on_stop,
	.negotiated = on_negotiated,
};

static const struct virtio_transport_ops transport = {
	.config_interrupt = on_config_interrupt,
};

static void setup(void)
{
	memset(&dev, 0, sizeof(dev));
	memset(starts, 0, sizeof(starts));
	memset(stops, 0, sizeof(stops));
	config_interrupts = 0;
	negotiations = 0;
	refuse_start = -1;
	dev.ops = &ops;
	dev.name = "vdt";
	dev.transport = &transport;
	ck_assert_int_eq(virtio_device_init(&dev, NQUEUES, SIZE_MAX_OFFERED,
					    OFFERED),
			 0);
}

static void teardown(void)
{
	virtio_device_exit(&dev);
}

static u8 write_status(u8 status)
{
	virtio_device_set_status(&dev, status);
	return virtio_device_status(&dev);
}

static u8 negotiate(u64 features)
{
	write_status(ACK | DRIVER);
	virtio_device_set_features(&dev, features);
	return write_status(ACK | DRIVER | FEATURES_OK);
}

static void run(void)
{
	ck_assert(negotiate(VERSION_1) & FEATURES_OK);
	for (unsigned int q = 0; q < NQUEUES; q++)
		virtio_device_enable_queue(&dev, q);
	ck_assert(write_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK) &
		  DRIVER_OK);
}

/* The device hears of features when they are agreed on, and of a reset. */
START_TEST(test_negotiated)
{
	write_status(ACK | DRIVER);
	virtio_device_set_features(&dev, 1ull << 63);
	write_status(ACK | DRIVER | FEATURES_OK);	/* refused */
	ck_assert_uint_eq(negotiations, 0);
	negotiate(VERSION_1);
	ck_assert_uint_eq(negotiations, 1);
	ck_assert_uint_eq(features_negotiated, VERSION_1);
	ck_assert(status_negotiated & FEATURES_OK);
	write_status(ACK | DRIVER | FEATURES_OK);	/* no news */
	ck_assert_uint_eq(negotiations, 1);
	write_status(0);
	ck_assert_uint_eq(negotiations, 2);
	ck_assert_uint_eq(features_negotiated, 0);
	ck_assert_uint_eq(status_negotiated, 0);
}
END_TEST

START_TEST(test_initial_state)
{
	ck_assert_uint_eq(virtio_device_status(&dev), 0);
	ck_assert_uint_eq(dev.driver_features, 0);
	ck_assert_uint_eq(dev.features, OFFERED);
	for (unsigned int q = 0; q < NQUEUES; q++) {
		ck_assert(!dev.queues[q].enabled && !dev.queues[q].running);
		ck_assert_uint_eq(dev.queues[q].config.size, SIZE_MAX_OFFERED);
		ck_assert_int_ge(dev.queues[q].kick_fd, 0);
	}
}
END_TEST

/* PEERS 9: any one bit that was not offered. */
START_TEST(test_features_never_offered)
{
	u64 bit = 1ull << _i;

	ck_assert_int_eq(!!(negotiate(VERSION_1 | bit) & FEATURES_OK),
			 !!(OFFERED & bit));
}
END_TEST

START_TEST(test_features_without_version_1)
{
	ck_assert(!(negotiate(0) & FEATURES_OK));
	write_status(0);
	ck_assert(!(negotiate(OFFERED & ~VERSION_1) & FEATURES_OK));
	write_status(0);
	ck_assert(negotiate(VERSION_1) & FEATURES_OK);
	write_status(0);
	ck_assert(negotiate(OFFERED) & FEATURES_OK);
}
END_TEST

/* 3.1.1: after a refusal the driver may think again. */
START_TEST(test_features_second_try)
{
	ck_assert(!(negotiate(VERSION_1 | 1ull << 63) & FEATURES_OK));
	virtio_device_set_features(&dev, VERSION_1);
	ck_assert(write_status(ACK | DRIVER | FEATURES_OK) & FEATURES_OK);
}
END_TEST

/* 2.2.2: each subset of what is offered, and the same again after a reset. */
START_TEST(test_features_any_subset_again)
{
	for (u64 subset = OFFERED; subset; subset = (subset - 1) & OFFERED) {
		bool ok = subset & VERSION_1;

		for (unsigned int i = 0; i < 3; i++) {
			ck_assert_int_eq(!!(negotiate(subset) & FEATURES_OK),
					 ok);
			write_status(0);
		}
	}
}
END_TEST

START_TEST(test_features_fixed_once_ok)
{
	negotiate(VERSION_1);
	virtio_device_set_features(&dev, OFFERED);
	ck_assert_uint_eq(dev.driver_features, VERSION_1);
	virtio_device_set_features(&dev, ~0ull);
	ck_assert_uint_eq(dev.driver_features, VERSION_1);
	ck_assert(!virtio_device_has(&dev, 29));
	ck_assert(virtio_device_has(&dev, VIRTIO_F_VERSION_1));
}
END_TEST

/* PEERS 9: features are replaced, not gathered. */
START_TEST(test_features_replaced)
{
	virtio_device_set_features(&dev, OFFERED);
	virtio_device_set_features(&dev, VERSION_1);
	ck_assert_uint_eq(dev.driver_features, VERSION_1);
}
END_TEST

START_TEST(test_driver_ok_without_features_ok)
{
	for (unsigned int q = 0; q < NQUEUES; q++)
		virtio_device_enable_queue(&dev, q);
	ck_assert(!(write_status(ACK | DRIVER | DRIVER_OK) & DRIVER_OK));
	ck_assert_uint_eq(starts[0], 0);
	/* Nor with features that are refused in the same write. */
	virtio_device_set_features(&dev, ~0ull);
	ck_assert_uint_eq(write_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK),
			  ACK | DRIVER);
	ck_assert_uint_eq(starts[0], 0);
}
END_TEST

START_TEST(test_all_bits_in_one_write)
{
	virtio_device_set_features(&dev, VERSION_1);
	virtio_device_enable_queue(&dev, 1);
	ck_assert_uint_eq(write_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK),
			  ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	ck_assert_uint_eq(starts[1], 1);
}
END_TEST

/* 2.1.1: bits are only cleared by a reset. */
START_TEST(test_status_bits_stay)
{
	u8 all = ACK | DRIVER | FEATURES_OK | DRIVER_OK;

	run();
	for (unsigned int status = 1; status < 256; status++) {
		u8 now = write_status((u8)status);

		ck_assert_uint_eq(now & all, all);
		ck_assert_uint_eq(now & NEEDS_RESET, 0);
		ck_assert_uint_eq(stops[0], 0);
	}
	ck_assert_uint_eq(starts[0], 1);
}
END_TEST

START_TEST(test_driver_cannot_set_needs_reset)
{
	ck_assert_uint_eq(write_status(ACK | NEEDS_RESET), ACK);
	ck_assert_uint_eq(write_status(NEEDS_RESET), ACK);
}
END_TEST

START_TEST(test_failed_stays)
{
	ck_assert_uint_eq(write_status(ACK | FAILED), ACK | FAILED);
	ck_assert_uint_eq(write_status(ACK | DRIVER), ACK | DRIVER | FAILED);
	ck_assert_uint_eq(write_status(0), 0);
}
END_TEST

START_TEST(test_start_sees_features)
{
	negotiate(VERSION_1 | 1ull << 29);
	virtio_device_enable_queue(&dev, 0);
	ck_assert_uint_eq(starts[0], 0);
	write_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	ck_assert_uint_eq(starts[0], 1);
	ck_assert_uint_eq(features_at_start, VERSION_1 | 1ull << 29);
	ck_assert(status_at_start & FEATURES_OK);
}
END_TEST

/* PEERS 9: nothing of one driver is left for the next. */
START_TEST(test_reset_clears_everything)
{
	run();
	dev.queues[2].config = (struct virtqueue_config){
		.size = 8, .desc = 0x1000, .avail = 0x2000, .used = 0x3000,
	};
	ck_assert_uint_eq(write_status(0), 0);
	ck_assert_uint_eq(dev.driver_features, 0);
	for (unsigned int q = 0; q < NQUEUES; q++) {
		const struct virtio_queue *queue = &dev.queues[q];

		ck_assert_uint_eq(stops[q], 1);
		ck_assert(!queue->enabled && !queue->running);
		ck_assert_uint_eq(queue->config.size, SIZE_MAX_OFFERED);
		ck_assert_uint_eq(queue->config.desc, 0);
		ck_assert_uint_eq(queue->config.avail, 0);
		ck_assert_uint_eq(queue->config.used, 0);
	}
	/* A second reset stops nothing twice. */
	write_status(0);
	ck_assert_uint_eq(stops[0], 1);
	run();
	ck_assert_uint_eq(starts[0], 2);
}
END_TEST

START_TEST(test_fewer_queues)
{
	negotiate(VERSION_1);
	virtio_device_enable_queue(&dev, 0);
	virtio_device_enable_queue(&dev, 2);
	write_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	for (unsigned int q = 0; q < NQUEUES; q++) {
		ck_assert_uint_eq(starts[q], q % 2 ? 0 : 1);
		ck_assert_int_eq(dev.queues[q].running, !(q % 2));
	}
	write_status(0);
	for (unsigned int q = 0; q < NQUEUES; q++)
		ck_assert_uint_eq(stops[q], q % 2 ? 0 : 1);
}
END_TEST

START_TEST(test_queue_reset)
{
	run();
	dev.queues[1].config.desc = 0x1000;
	virtio_device_reset_queue(&dev, 1);
	ck_assert_uint_eq(stops[1], 1);
	ck_assert(!dev.queues[1].enabled);
	ck_assert_uint_eq(dev.queues[1].config.desc, 0);
	ck_assert_uint_eq(dev.queues[1].config.size, SIZE_MAX_OFFERED);
	ck_assert_uint_eq(stops[0] + stops[2] + stops[3], 0);
	ck_assert(virtio_device_status(&dev) & DRIVER_OK);
	/* Enabled again while the device runs: it starts at once. */
	virtio_device_enable_queue(&dev, 1);
	ck_assert_uint_eq(starts[1], 2);
	/* One that runs does not start twice. */
	virtio_device_enable_queue(&dev, 1);
	ck_assert_uint_eq(starts[1], 2);
}
END_TEST

/* One line and one interrupt, however often; no queue starts after it. */
START_TEST(test_break)
{
	struct rig_capture c;

	run();
	rig_capture_start(&c);
	virtio_device_break(&dev, 3, "avail index");
	virtio_device_break(&dev, 3, "avail index");
	virtio_device_break(&dev, 0, "other");
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "queue 3", "avail index", "reset");
	ck_assert_uint_eq(config_interrupts, 1);
	ck_assert(virtio_device_status(&dev) & NEEDS_RESET);
	/* 2.1.2: only a reset ends it. */
	ck_assert(write_status(ACK) & NEEDS_RESET);
	virtio_device_reset_queue(&dev, 3);
	virtio_device_enable_queue(&dev, 3);
	ck_assert_uint_eq(starts[3], 1);
	ck_assert(virtio_device_status(&dev) & NEEDS_RESET);
	ck_assert_uint_eq(write_status(0), 0);
	run();
	ck_assert_uint_eq(starts[3], 2);
	ck_assert(!(virtio_device_status(&dev) & NEEDS_RESET));
}
END_TEST

START_TEST(test_bad_ring_at_start)
{
	struct rig_capture c;

	refuse_start = 1;
	rig_capture_start(&c);
	negotiate(VERSION_1);
	for (unsigned int q = 0; q < NQUEUES; q++)
		virtio_device_enable_queue(&dev, q);
	ck_assert(write_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK) &
		  NEEDS_RESET);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "queue 1", "ring");
	ck_assert(dev.queues[0].running && !dev.queues[1].running);
	ck_assert_uint_eq(starts[2], 0);
	write_status(0);
	ck_assert_uint_eq(stops[0], 1);
	ck_assert_uint_eq(stops[1], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device");
	TCase *tc = tcase_create("state machine");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_initial_state);
	tcase_add_test(tc, test_negotiated);
	tcase_add_loop_test(tc, test_features_never_offered, 0, 64);
	tcase_add_test(tc, test_features_without_version_1);
	tcase_add_test(tc, test_features_second_try);
	tcase_add_test(tc, test_features_any_subset_again);
	tcase_add_test(tc, test_features_fixed_once_ok);
	tcase_add_test(tc, test_features_replaced);
	tcase_add_test(tc, test_driver_ok_without_features_ok);
	tcase_add_test(tc, test_all_bits_in_one_write);
	tcase_add_test(tc, test_status_bits_stay);
	tcase_add_test(tc, test_driver_cannot_set_needs_reset);
	tcase_add_test(tc, test_failed_stays);
	tcase_add_test(tc, test_start_sees_features);
	tcase_add_test(tc, test_reset_clears_everything);
	tcase_add_test(tc, test_fewer_queues);
	tcase_add_test(tc, test_queue_reset);
	tcase_add_test(tc, test_break);
	tcase_add_test(tc, test_bad_ring_at_start);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
