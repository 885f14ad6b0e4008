// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-blk device that is changed while its driver uses it: size, limits,
 * polling; and the look inside for lkvm debug.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c */
#include "barrier.h"
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include "inspect.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL (DISK_BYTES / 2)
#define SMALL_SECTORS (SMALL / 512)

static u64 capacity(void)
{
	__le64 sectors;

	pthread_mutex_lock(&dev->lock);
	dev->ops->config_read(dev, 0, &sectors, sizeof(sectors));
	pthread_mutex_unlock(&dev->lock);
	return le64_to_cpu(sectors);
}

static int resize(u64 bytes)
{
	int err = bytes < disk_info(disk)->size ? virtio_blk_cut(blk, bytes) : 0;

	if (err)
		return err;
	ck_assert_int_eq(disk_set_size(disk, bytes), 0);
	virtio_blk_resize(blk, bytes);
	return 0;
}

/* Capacity, generation, interrupt; and what is in range follows. */
START_TEST(test_resize)
{
	u32 generation = dev->generation;

	expect_request(VIRTIO_BLK_T_OUT, SECTORS - 1, 512, VIRTIO_BLK_S_OK, 1);
	ck_assert_int_eq(resize(SMALL), 0);
	ck_assert_uint_eq(capacity(), SMALL_SECTORS);
	ck_assert_uint_ne(dev->generation, generation);
	ck_assert_uint_eq(count_of(&config_interrupts), 1);
	expect_request(VIRTIO_BLK_T_OUT, SECTORS - 1, 512, VIRTIO_BLK_S_IOERR, 1);
	expect_request(VIRTIO_BLK_T_OUT, SMALL_SECTORS - 1, 1024, VIRTIO_BLK_S_IOERR, 1);
	expect_request(VIRTIO_BLK_T_OUT, SMALL_SECTORS - 1, 512, VIRTIO_BLK_S_OK, 1);
	ck_assert_int_eq(resize(DISK_BYTES), 0);
	ck_assert_uint_eq(capacity(), SECTORS);
	ck_assert_uint_eq(count_of(&config_interrupts), 2);
	expect_request(VIRTIO_BLK_T_OUT, SECTORS - 1, 512, VIRTIO_BLK_S_OK, 1);
	expect_request(VIRTIO_BLK_T_OUT, SECTORS, 512, VIRTIO_BLK_S_IOERR, 1);
}
END_TEST

/* 2.1: no interrupt before DRIVER_OK; the driver reads the new size all the same. */
START_TEST(test_resize_before_the_driver)
{
	set_status(0);
	ck_assert_int_eq(resize(SMALL), 0);
	ck_assert_uint_eq(count_of(&config_interrupts), 0);
	ck_assert_uint_eq(capacity(), SMALL_SECTORS);
	set_status(DRIVER_STATUS & ~VIRTIO_CONFIG_S_FEATURES_OK);
	ck_assert_uint_eq(capacity(), SMALL_SECTORS);
}
END_TEST

/* A vCPU waits for the host's disk: it has the device's lock. */
START_TEST(test_resize_waits_for_no_vcpu)
{
	pthread_mutex_lock(&dev->lock);
	ck_assert_int_eq(resize(SMALL), 0);
	ck_assert_uint_ne(virtio_device_status(dev), 0);
	pthread_mutex_unlock(&dev->lock);
	ck_assert_uint_eq(capacity(), SMALL_SECTORS);
}
END_TEST

/* The host may refuse to shorten its file: the guest has seen nothing. */
START_TEST(test_shrink_in_vain)
{
	u32 generation = dev->generation;

	ck_assert_int_eq(virtio_blk_cut(blk, SMALL), 0);
	expect_request(VIRTIO_BLK_T_OUT, SECTORS - 1, 512, VIRTIO_BLK_S_IOERR, 1);
	ck_assert_int_eq(virtio_blk_cut(blk, DISK_BYTES), 0);
	expect_request(VIRTIO_BLK_T_OUT, SECTORS - 1, 512, VIRTIO_BLK_S_OK, 1);
	ck_assert_uint_eq(capacity(), SECTORS);
	ck_assert_uint_eq(dev->generation, generation);
	ck_assert_uint_eq(count_of(&config_interrupts), 0);
}
END_TEST

static void no_pause(void *ctx, const char *why)
{
	(void)ctx;
	(void)why;
}

/* What is under way behind the new end keeps it from being cut off. */
START_TEST(test_shrink_waits_for_none)
{
	close_blk();
	blk_params.on_error = (struct virtio_blk_on_error){
		.read = VIRTIO_BLK_STOP, .pause = no_pause
	};
	open_blk(rig_open(&disk_fault_ops, "fault:1:100:0:memory:1048576"), 1, 1, 64);
	drive(DRIVER_FEATURES);
	add_request(0, &slots[0], VIRTIO_BLK_T_IN, SMALL_SECTORS, 512);
	ring_kick(&rings[0]);
	while (!STAT(0, kept))
		usleep(1000);
	ck_assert_int_eq(virtio_blk_cut(blk, SMALL), -EBUSY);
	ck_assert_uint_eq(capacity(), SECTORS);
	ck_assert_uint_eq(count_of(&config_interrupts), 0);
	/* One that ends where the disk does is not behind it. */
	ck_assert_int_eq(virtio_blk_cut(blk, SMALL + 512), 0);
	set_status(0);
	ck_assert_int_eq(virtio_blk_cut(blk, SMALL), 0);
	blk_params.on_error = (struct virtio_blk_on_error){ 0 };
}
END_TEST

/* All the queues write up to the very end while it moves: none is lost. */
START_TEST(test_resize_under_load)
{
	unsigned int rounds = 200;

	close_blk();
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), QUEUES_MAX, 2, 64);
	drive(DRIVER_FEATURES);
	for (unsigned int i = 0; i < rounds; i++) {
		int err;

		for (unsigned int q = 0; q < QUEUES_MAX; q++) {
			add_request(q, slot_of(q, 0), VIRTIO_BLK_T_OUT, SECTORS - 8 * (q + 1), 4096);
			add_request(q, slot_of(q, 1), VIRTIO_BLK_T_OUT, 8 * q, 4096);
			ring_kick(&rings[q]);
		}
		err = resize(i % 2 ? DISK_BYTES : SMALL);
		ck_assert(!err || err == -EBUSY);
		for (unsigned int q = 0; q < QUEUES_MAX; q++) {
			u32 id, len;

			for (unsigned int n = 0; n < 2;)
				n += ring_get(&rings[q], &id, &len);
			ck_assert_uint_eq(*status_byte(slot_of(q, 1)), VIRTIO_BLK_S_OK);
			ck_assert_uint_le(*status_byte(slot_of(q, 0)), VIRTIO_BLK_S_IOERR);
		}
	}
	ck_assert_int_eq(resize(DISK_BYTES), 0);
}
END_TEST

/* The host's file: as long as it is asked for, or as it has become. */
START_TEST(test_host_file)
{
	char path[256];
	struct disk *d;
	struct stat st;
	bool settable;
	u64 size;

	rig_file(path, sizeof(path), "/tmp", 65536);
	d = rig_open(&disk_aio_ops, path);
	ck_assert_int_eq(disk_set_size(d, 131072), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 131072);
	ck_assert_uint_eq(disk_info(d)->size, 131072);
	ck_assert_int_eq(truncate(path, 262144), 0);
	ck_assert_int_eq(disk_host_size(d, &size, &settable), 0);
	ck_assert(settable);
	ck_assert_uint_eq(size, 262144);
	ck_assert_uint_eq(disk_info(d)->size, 131072);
	ck_assert_int_eq(disk_set_size(d, 4096), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 4096);
	ck_assert_int_lt(disk_set_size(d, 1ull << 62), 0);
	ck_assert_uint_eq(disk_info(d)->size, 4096);
	disk_close(d);
	unlink(path);
}
END_TEST

static const struct limit_params slow = { .requests = { 1, 1 } };
static const struct limit_params none;

static void read_some(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		add_request(0, &slots[i], VIRTIO_BLK_T_IN, 0, 512);
	ring_kick(&rings[0]);
}

static void expect_all(unsigned int n)
{
	u32 id, len;

	while (n)
		n -= ring_get(&rings[0], &id, &len);
}

/* One a second, which would take a minute; without it they go at once. */
START_TEST(test_limit_is_lifted)
{
	virtio_blk_throttle(blk, &slow);
	read_some(1);	/* not before the limit is there */
	expect_all(1);
	read_some(16);
	while (!STAT(0, throttled))
		usleep(1000);
	virtio_blk_throttle(blk, &none);
	expect_all(16);
	ck_assert_uint_gt(STAT(0, throttled_ns), 0);
	read_some(16);
	expect_all(16);
	ck_assert_uint_eq(STAT(0, throttled), 1);
}
END_TEST

/* A debt of a year is not taken along to the next limit. */
START_TEST(test_debt_is_forgotten)
{
	const struct limit_params bytes = { .bytes = { 1, 1 } };
	const struct limit_params fast = { .requests = { 1000000, 0 } };

	virtio_blk_throttle(blk, &bytes);
	read_some(16);
	while (!STAT(0, throttled))
		usleep(1000);
	virtio_blk_throttle(blk, &fast);
	expect_all(16);
}
END_TEST

START_TEST(test_limits_under_load)
{
	close_blk();
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), QUEUES_MAX, 2, 64);
	drive(DRIVER_FEATURES);
	for (unsigned int i = 0; i < 50; i++) {
		const struct limit_params some = { .requests = { 1000 + 100 * i, 0 } };

		for (unsigned int q = 0; q < QUEUES_MAX; q++)
			fill_queue(q);
		virtio_blk_throttle(blk, i % 3 ? &some : &slow);
		virtio_blk_throttle(blk, &none);
		for (unsigned int q = 0; q < QUEUES_MAX; q++) {
			u32 id, len;

			for (unsigned int n = 0; n < SLOTS / QUEUES_MAX;)
				n += ring_get(&rings[q], &id, &len);
		}
	}
}
END_TEST

/* --- threads -------------------------------------------------------------- */

static unsigned int hold, held;

static void wait_held(void *arg)
{
	(void)arg;
	write_once(&held, 1);
	while (read_once(&hold))
		usleep(1000);
}

static void *hold_thread(void *arg)
{
	iothread_call(arg, wait_held, NULL);
	return NULL;
}

/* A thread that is busy elsewhere is told from one that answers. */
START_TEST(test_answers)
{
	pthread_t holder;

	ck_assert(iothread_answers(threads[0], 20000000000ull));
	hold = 1;
	held = 0;
	pthread_create(&holder, NULL, hold_thread, threads[0]);
	while (!read_once(&held))
		usleep(1000);
	ck_assert(!iothread_answers(threads[0], 10000000));
	write_once(&hold, 0);
	pthread_join(holder, NULL);
	ck_assert(iothread_answers(threads[0], 20000000000ull));
	read_some(4);
	expect_all(4);
}
END_TEST

struct seen {
	struct inspector inspector;
	unsigned int n;
	struct {
		const char *name;
		u64 value;
	} at[64];
};

static void see(const struct inspector *to, const char *name, u64 value)
{
	struct seen *s = (struct seen *)to;

	ck_assert_uint_lt(s->n, 64);
	s->at[s->n].name = name;
	s->at[s->n++].value = value;
}

static u64 value_of(const struct seen *s, const char *name)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (!strcmp(s->at[i].name, name))
			return s->at[i].value;
	ck_abort_msg("no %s", name);
	return 0;
}

static struct seen look(void)
{
	struct seen s = { .inspector = { see } };

	virtio_blk_inspect(blk, 0, &s.inspector);
	return s;
}

/* The thread's setting changes between two turns, also from and to always. */
START_TEST(test_set_poll)
{
	const struct iothread_poll polls[] = {
		{ .always = true }, { .max_ns = 1000000 }, { .max_ns = 0 },
		{ .always = true }, { .max_ns = 5000 },
	};

	for (unsigned int i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		struct seen s;

		iothread_set_poll(threads[0], &polls[i]);
		read_some(8);
		expect_all(8);
		s = look();
		ck_assert_uint_eq(value_of(&s, "poll_always"), polls[i].always);
		ck_assert_uint_eq(value_of(&s, "poll_max_ns"), polls[i].max_ns);
		ck_assert_uint_le(value_of(&s, "poll_budget_ns"), polls[i].max_ns);
	}
}
END_TEST

START_TEST(test_inspect)
{
	struct seen s;

	read_some(5);
	expect_all(5);
	s = look();
	ck_assert_uint_eq(value_of(&s, "active"), 1);
	ck_assert_uint_eq(value_of(&s, "in_flight"), 0);
	ck_assert_uint_eq(value_of(&s, "size"), 64);
	ck_assert_uint_eq(value_of(&s, "packed"), layout == PACKED);
	ck_assert_uint_eq(value_of(&s, "pushed"), 5);
	ck_assert_uint_eq(value_of(&s, "published"), 5);
	if (layout == PACKED) {
		ck_assert_uint_eq(value_of(&s, "avail_at"), 15);
		ck_assert_uint_eq(value_of(&s, "used_at"), 15);
		ck_assert_uint_eq(value_of(&s, "taken"), 0);
	} else {
		ck_assert_uint_eq(value_of(&s, "avail_idx"), 5);
		ck_assert_uint_eq(value_of(&s, "last_avail_idx"), 5);
		ck_assert_uint_eq(value_of(&s, "used_idx"), 5);
	}
	virtio_blk_throttle(blk, &slow);
	read_some(16);
	while (!STAT(0, throttled))
		usleep(1000);
	s = look();
	ck_assert_uint_eq(value_of(&s, "throttled"), 1);
	ck_assert_uint_eq(value_of(&s, "kicks_on"), 0);
	set_status(0);
	s = look();
	ck_assert_uint_eq(value_of(&s, "active"), 0);
}
END_TEST

static void add_control(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, "control", packed);

	tcase_add_checked_fixture(tc, setup, close_blk);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_resize);
	tcase_add_test(tc, test_resize_before_the_driver);
	tcase_add_test(tc, test_resize_waits_for_no_vcpu);
	tcase_add_test(tc, test_shrink_in_vain);
	tcase_add_test(tc, test_shrink_waits_for_none);
	tcase_add_test(tc, test_resize_under_load);
	tcase_add_test(tc, test_host_file);
	tcase_add_test(tc, test_limit_is_lifted);
	tcase_add_test(tc, test_debt_is_forgotten);
	tcase_add_test(tc, test_limits_under_load);
	tcase_add_test(tc, test_answers);
	tcase_add_test(tc, test_set_poll);
	tcase_add_test(tc, test_inspect);
}

int main(void)
{
	Suite *suite = suite_create("blk-control");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++)
		add_control(suite, packed);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
