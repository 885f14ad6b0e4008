// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk with many requests in flight: batches, interrupts, queues and
 * threads, errors and late completions of the host, and resets under load.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c */
#include "barrier.h"
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include "kvm/event.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* --- batches ------------------------------------------------------------- */

static void batch_of_64(u64 features)
{
	u64 batches, publications, interrupts;
	u32 id, len;

	drive(features);
	ring_calls_on(&rings[0]);
	/* Let it go to sleep before, so that the kick finds all of them. */
	while (iothread_stats(threads[0]) &&
	       !read_once(&iothread_stats(threads[0])->sleeps))
		usleep(100);
	usleep(2000);
	batches = STAT(0, batches);
	publications = STAT(0, publications);
	interrupts = STAT(0, interrupts);
	for (unsigned int i = 0; i < 64; i++) {
		struct ring_buf bufs[3];

		request_bufs(&slots[i], VIRTIO_BLK_T_IN, i, 512, bufs);
		ring_add_indirect(&rings[0], slots[i].table, bufs, 3);
	}
	ck_assert(ring_kick(&rings[0]));
	for (unsigned int i = 0; i < 64; i++)
		ring_wait_used(&rings[0], &len);
	ck_assert(!ring_get(&rings[0], &id, &len));
	for (unsigned int i = 0; i < 64; i++)
		ck_assert_uint_eq(*status_byte(&slots[i]), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(STAT(0, batches) - batches, 1);
	ck_assert_uint_eq(STAT(0, publications) - publications, 1);
	/* It is counted when it is sent: the driver may be here before. */
	for (unsigned int i = 0; i < 1000 && STAT(0, interrupts) == interrupts; i++)
		usleep(1000);
	ck_assert_uint_eq(STAT(0, interrupts) - interrupts, 1);
	ck_assert_uint_eq(count_of(&queue_interrupts[0]), 1);
	ck_assert_uint_eq(STAT(0, held), 0);
}

START_TEST(test_batch_of_64)
{
	open_blk(_i / 2 ? rig_open(NULL, "null:1M") :
			  rig_open(&disk_memory_ops, "memory:1048576"),
		 1, 1, 64);
	batch_of_64(_i % 2 ? DRIVER_FEATURES :
			     DRIVER_FEATURES &
				     ~(1ull << VIRTIO_RING_F_EVENT_IDX));
	close_blk();
}
END_TEST

/* Depth 1: no request ever waits for a second one. */
START_TEST(test_lone_requests_do_not_wait)
{
	open_blk(rig_open(NULL, "null:1M"), 1, 1, 64);
	drive(DRIVER_FEATURES);
	for (unsigned int i = 0; i < 1000; i++)
		expect_request(VIRTIO_BLK_T_OUT, 0, 512, VIRTIO_BLK_S_OK, 1);
	ck_assert_uint_eq(STAT(0, held), 0);
	ck_assert_uint_eq(STAT(0, batches), 1000);
	close_blk();
}
END_TEST

static u64 latencies(unsigned int q)
{
	u64 n = 0;

	for (unsigned int i = 0; i < VIRTIO_BLK_LATENCIES; i++)
		n += STAT(q, latency[i]);
	return n;
}
/*
 * A driver with 64 in flight: the queue waits for many, none is lost; each
 * publication has an interrupt or not, each request a latency.
 */
START_TEST(test_many_are_waited_for)
{
	unsigned int total = test_scale(20000);

	open_blk(rig_open(NULL, "null:1M"), 1, 1, 64);
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(pump(0, total), 0);
	ck_assert_uint_gt(STAT(0, held), 0);
	ck_assert_uint_le(STAT(0, publications) - STAT(0, interrupts) -
				  STAT(0, suppressed), 1);
	ck_assert_uint_eq(latencies(0), total);
	/* A lone one that follows is served, too. */
	expect_request(VIRTIO_BLK_T_OUT, 0, 512, VIRTIO_BLK_S_OK, 1);
	close_blk();
}
END_TEST

/* Without a kick, as long as the thread does not sleep. */
START_TEST(test_polled)
{
	unsigned int total = test_scale(20000);

	thread_poll.always = true;
	open_blk(rig_open(NULL, "null:1M"), 1, 1, 64);
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(pump(0, total), 0);
	ck_assert_uint_le(rings[0].kicks, 1);	/* before the first look */
	ck_assert_uint_ge(STAT(0, kicks_suppressed), STAT(0, batches) - 1);
	ck_assert_uint_eq(read_once(&iothread_stats(threads[0])->sleeps), 0);
	close_blk();
	thread_poll.always = false;
}
END_TEST

/* Completions that come late and one by one share interrupts, and none waits
 * for more than the others that are in flight. */
START_TEST(test_interrupts_are_delayed)
{
	unsigned int total = test_scale(20000);

	blk_params.irq_delay_ns = 1000000;
	blk_params.irq_delay_auto = _i;
	open_blk(rig_open(&disk_fault_ops, "fault:5:0:6:memory:1048576"), 1, 1,
		 64);
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(pump(0, total), 0);
	if (!_i)
		ck_assert_uint_gt(STAT(0, delayed), 0);
	/* The driver found the last completions; their interrupt may wait. */
	ck_assert_uint_le(STAT(0, publications) - STAT(0, interrupts) -
				  STAT(0, suppressed), 1);
	ck_assert_uint_eq(latencies(0), total);
	close_blk();
	blk_params.irq_delay_ns = 0;
}
END_TEST

/* Sixty-four sectors one behind the other, in one batch: one write, one read. */
START_TEST(test_sequential_is_merged)
{
	char path[256];
	const struct disk_params file = { .path = path, .merge = true };

	rig_file(path, sizeof(path), "/tmp", DISK_BYTES);
	ck_assert_int_eq(disk_open(&disk, &file), 0);
	open_blk(disk, 1, 1, 256);	/* with so much room for segments */
	drive(DRIVER_FEATURES);
	for (unsigned int pass = 0; pass < 2; pass++) {
		u32 type = pass ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, len;

		for (unsigned int i = 0; i < SLOTS; i++) {
			struct ring_buf bufs[3];

			rig_fill((char *)slot_data(&slots[i]), 4096,
				 pass ? 0 : i + 1);
			request_bufs(&slots[i], type, 8 * i, 4096, bufs);
			ring_add_indirect(&rings[0], slots[i].table, bufs, 3);
		}
		ring_kick(&rings[0]);
		for (unsigned int i = 0; i < SLOTS; i++)
			ring_wait_used(&rings[0], &len);
	}
	for (unsigned int i = 0; i < SLOTS; i++) {
		char want[4096];

		rig_fill(want, sizeof(want), i + 1);
		ck_assert_uint_eq(*status_byte(&slots[i]), VIRTIO_BLK_S_OK);
		ck_assert_mem_eq(slot_data(&slots[i]), want, sizeof(want));
	}
	ck_assert_uint_eq(disk_queue_merged(virtio_blk_disk_queue(blk, 0)),
			  2 * (SLOTS - 1));
	ck_assert_uint_eq(
		read_once(&disk_thread_stats(virtio_blk_disk_queue(blk, 0))->submitted),
		2);
	close_blk();
	unlink(path);
}
END_TEST

/* PEERS 2: errors of the host complete, each once, and are told once. */
START_TEST(test_errors_complete_once)
{
	unsigned int total = test_scale(20000), failed;
	struct rig_capture c;

	open_blk(rig_open(&disk_fault_ops, "fault:3:20:4:memory:1048576"), 1, 1,
		 64);
	drive(DRIVER_FEATURES);
	rig_capture_start(&c);
	failed = pump(0, total);
	rig_capture_end(&c);
	ck_assert_uint_eq(STAT(0, errors), failed);
	ck_assert_uint_eq(STAT(0, reads) + STAT(0, writes), total);
	if (failed)
		rig_expect_line(&c, "vdt", "failed", "Input/output error");
	close_blk();
}
END_TEST

/* The used length of what failed. */
START_TEST(test_error_used_len)
{
	struct rig_capture c;

	open_blk(rig_open(&disk_fault_ops, "fault:3:100:0:memory:1048576"), 1,
		 1, 64);
	drive(DRIVER_FEATURES);
	rig_capture_start(&c);
	expect_request(VIRTIO_BLK_T_IN, 0, 512, VIRTIO_BLK_S_IOERR, 0);
	expect_request(VIRTIO_BLK_T_OUT, 0, 512, VIRTIO_BLK_S_IOERR, 1);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_IOERR, 1);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "read", "told once");
	close_blk();
}
END_TEST

/*
 * A driver that makes heads available again while they are in flight: more
 * chains than request slots.  Each is served, once for each time.
 */
START_TEST(test_more_chains_than_slots)
{
	unsigned int total = test_scale(1024) & ~7u, got = 0, most = 0;
	struct guest_ring *r = &rings[0];
	struct ring_buf bufs[3];
	u32 id, len;

	if (total < 256)
		total = 256;
	open_blk(rig_open(&disk_fault_ops, "fault:5:0:2000:memory:1048576"), 1, 1,
		 8);
	drive(DRIVER_FEATURES);
	for (unsigned int i = 0; i < 8; i++) {
		request_bufs(&slots[i], VIRTIO_BLK_T_IN, i, 512, bufs);
		ring_add_indirect(r, slots[i].table, bufs, 3);
		r->ndescs[i] = 0;	/* heads are never free again */
	}
	for (unsigned int sent = 8; got < total;) {
		ring_kick(r);
		if (got < sent) {
			ring_wait_used(r, &len);
			expect(len == 513);
			got++;
		}
		while (ring_get(r, &id, &len))
			got++;
		/* As many as the avail ring holds, done or not. */
		while (sent < total && sent - taken(0) < 8) {
			ring_post(r, (u16)(sent++ % 8));
			most = sent - got > most ? sent - got : most;
		}
	}
	ck_assert_uint_ge(most, 8);	/* more, if this thread gets its turn */
	ck_assert_uint_eq(got, total);
	ck_assert_uint_eq(STAT(0, reads), total);
	ck_assert(!(status_of() & VIRTIO_CONFIG_S_NEEDS_RESET));
	close_blk();
}
END_TEST

static void *pump_thread(void *arg)
{
	unsigned int q = (unsigned int)(uintptr_t)arg;

	return (void *)(uintptr_t)pump(q, test_scale(4000));
}

/* Four drivers at once, on one, two, three and four threads. */
START_TEST(test_queues_on_threads)
{
	pthread_t drivers[QUEUES_MAX];
	void *failed;

	open_blk(rig_open(&disk_fault_ops, "fault:6:0:3:memory:1048576"),
		 QUEUES_MAX, (unsigned int)_i, 64);
	drive(DRIVER_FEATURES);
	for (unsigned int q = 0; q < QUEUES_MAX; q++)
		ck_assert_int_eq(pthread_create(&drivers[q], NULL, pump_thread,
						(void *)(uintptr_t)q),
				 0);
	for (unsigned int q = 0; q < QUEUES_MAX; q++) {
		ck_assert_int_eq(pthread_join(drivers[q], &failed), 0);
		ck_assert_ptr_null(failed);
		ck_assert_uint_eq(STAT(q, reads) + STAT(q, writes),
				  test_scale(4000));
		ck_assert_ptr_eq(virtio_blk_thread(blk, q),
				 threads[q % (unsigned int)_i]);
	}
	close_blk();
}
END_TEST

/* --- resets -------------------------------------------------------------- */
/*
 * PEERS 9, 12: when the reset returns, what was taken is in the used ring, and
 * nothing comes after; then it starts from 0 again.
 */
START_TEST(test_device_reset_under_load)
{
	static u64 before[QUEUES_MAX];
	u32 written;

	open_blk(rig_open(&disk_fault_ops, "fault:11:0:6:memory:1048576"), 2, 2,
		 64);
	for (unsigned int round = 0; round < test_scale(10000); round++) {
		drive(round % 2 ? DRIVER_FEATURES :
				  DRIVER_FEATURES &
					  ~(1ull << VIRTIO_RING_F_EVENT_IDX));
		for (unsigned int q = 0; q < 2; q++) {
			before[q] = taken(q);
			fill_queue(q);
		}
		for (unsigned int spin = round % 7 * 300; spin; spin--)
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
		set_status(0);
		expect(status_of() == 0);
		for (unsigned int q = 0; q < 2; q++) {
			u16 used = ring_used_idx(&rings[q]);

			expect(used == (u16)(taken(q) - before[q]));
			/* The memory is the driver's again. */
			memset(slot_data(slot_of(q, 0)), 0xaa, 4096);
			expect(!dev->queues[q].enabled);
		}
	}
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, &written), 0);
	close_blk();
}
END_TEST

static bool hostile_stop;

__attribute__((no_sanitize("thread"))) static void
offer_again(struct guest_ring *r, unsigned int i)
{
	struct vring_packed_desc *d = &r->pdesc[i];

	if (r->packed) {
		u16 mine = r->written++ / SLOTS % 2 ? RING_USED : RING_AVAIL;

		d->len = cpu_to_le32(32);	/* its address is still there */
		store_release(&d->flags,
			      cpu_to_le16(mine | VRING_DESC_F_INDIRECT));
	} else {
		store_release(&r->avail->idx,
			      (__force __virtio16)cpu_to_le16(++r->avail_idx));
	}
}

/*
 * Offers each request again as soon as its status byte says that it is done,
 * long before it is used.  On purpose it races with the device.
 */
__attribute__((no_sanitize("thread"))) static void *hostile_driver(void *arg)
{
	struct guest_ring *r = arg;
	struct timespec start, now;
	unsigned int next = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (unsigned int i = 0; i < SLOTS; i++) {
			volatile u8 *status = status_byte(&slots[next]);

			if (*status != VIRTIO_BLK_S_UNSUPP)
				break;
			*status = 0xee;
			offer_again(r, next);
			next = (next + 1) % SLOTS;
		}
		event_signal(r->kick_fd);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!read_once(&hostile_stop) && now.tv_sec - start.tv_sec < 5);
	return NULL;
}

/* A driver that never lets the device finish cannot keep it from its reset. */
START_TEST(test_reset_while_more_comes)
{
	struct timespec before, after;
	pthread_t driver;

	setup();
	for (unsigned int i = 0; i < SLOTS; i++) {
		struct ring_buf bufs[3];
		unsigned int n = request_bufs(&slots[i], 77, 0, 0, bufs);

		expect(ring_add_indirect(&rings[0], slots[i].table, bufs, n) ==
		       (int)i);
	}
	hostile_stop = false;
	ring_kick(&rings[0]);
	/* What a packed ring is offered before is overwritten by what is used. */
	for (unsigned int i = 0; i < 5000 && ring_used_idx(&rings[0]) < SLOTS; i++)
		usleep(1000);
	ck_assert_int_eq(pthread_create(&driver, NULL, hostile_driver,
					&rings[0]), 0);
	for (unsigned int i = 0; i < 5000 && taken(0) <= SLOTS; i++)
		usleep(1000);
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC, &before);
	set_status(0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	write_once(&hostile_stop, true);
	pthread_join(driver, NULL);
	ck_assert_int_le(after.tv_sec - before.tv_sec, 2);
	ck_assert_uint_gt(taken(0), SLOTS);
	drive(DRIVER_FEATURES);
	expect_alive();
	close_blk();
}
END_TEST

static bool busy_stop;

/* Keeps a queue full until it is told to stop. */
static void *busy_thread(void *arg)
{
	unsigned int q = (unsigned int)(uintptr_t)arg;
	uintptr_t failed = 0;

	while (!read_once(&busy_stop))
		failed += pump(q, 200);
	return (void *)failed;
}

/* 2.6.1: one queue is reset again and again, the others do not notice. */
START_TEST(test_queue_reset_under_load)
{
	pthread_t drivers[2];
	void *failed;
	u32 len;

	write_once(&busy_stop, false);
	open_blk(rig_open(&disk_fault_ops, "fault:12:0:6:memory:1048576"), 4,
		 (unsigned int)_i, 64);
	drive(DRIVER_FEATURES);
	for (uintptr_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&drivers[i], NULL, busy_thread,
						(void *)(i + 1)), 0);
	for (unsigned int round = 0; round < test_scale(10000); round++) {
		u64 before = taken(3);

		fill_queue(3);
		pthread_mutex_lock(&dev->lock);
		virtio_device_reset_queue(dev, 3);
		expect(!dev->queues[3].enabled);
		expect(dev->queues[3].config.size == 64);
		expect(dev->queues[3].config.desc == 0);
		expect(ring_used_idx(&rings[3]) == (u16)(taken(3) - before));
		ring_reset(&rings[3], DRIVER_FEATURES);
		enable_queue(3);
		pthread_mutex_unlock(&dev->lock);
	}
	write_once(&busy_stop, true);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(drivers[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	add_request(3, &slots[SLOTS - 1], VIRTIO_BLK_T_IN, 0, 512);
	ring_kick(&rings[3]);
	ring_wait_used(&rings[3], &len);
	ck_assert_uint_eq(len, 513);
	close_blk();
}
END_TEST

/* PEERS 11: rings smaller than offered, and fewer queues. */
START_TEST(test_smaller_rings_fewer_queues)
{
	static const u16 sizes[] = { 4, 8, 32 };
	u32 len;

	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 4, 2, 64);
	for (unsigned int i = 0; i < 3; i++) {
		set_status(DRIVER_STATUS & ~VIRTIO_CONFIG_S_FEATURES_OK);
		virtio_device_set_features(dev, DRIVER_FEATURES);
		set_status(DRIVER_STATUS);
		close(rings[2].call_fd);
		ring_init(&rings[2], &arena, sizes[i], DRIVER_FEATURES);
		rings[2].kick_fd = dev->queues[2].kick_fd;
		rings[2].call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		enable_queue(2);	/* only this one */
		set_status(DRIVER_STATUS | VIRTIO_CONFIG_S_DRIVER_OK);
		for (unsigned int k = 0; k < test_scale(3000); k++) {
			expect(add_request(2, &slots[0], VIRTIO_BLK_T_IN, 0,
					   512) >= 0);
			ring_kick(&rings[2]);
			ring_wait_used(&rings[2], &len);
			expect(len == 513);
		}
		set_status(0);
	}
	ck_assert_uint_eq(taken(0) + taken(1) + taken(3), 0);
	close_blk();
}
END_TEST
static void add_load(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "load, packed" : "load", packed);

	tcase_add_loop_test(tc, test_batch_of_64, 0, 4);
	tcase_add_test(tc, test_lone_requests_do_not_wait);
	tcase_add_test(tc, test_many_are_waited_for);
	tcase_add_test(tc, test_polled);
	tcase_add_loop_test(tc, test_interrupts_are_delayed, 0, 2);
	tcase_add_test(tc, test_sequential_is_merged);
	tcase_add_test(tc, test_errors_complete_once);
	tcase_add_test(tc, test_error_used_len);
	if (!packed)
		tcase_add_test(tc, test_more_chains_than_slots);
	tcase_add_loop_test(tc, test_queues_on_threads, 1, 5);
	tcase_add_test(tc, test_device_reset_under_load);
	tcase_add_test(tc, test_reset_while_more_comes);
	tcase_add_loop_test(tc, test_queue_reset_under_load, 1, 3);
	tcase_add_test(tc, test_smaller_rings_fewer_queues);
}

int main(void)
{
	Suite *suite = suite_create("blk-load");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++)
		add_load(suite, packed);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
