// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk on a host that fails: what each rerror= and werror= makes of it,
 * requests that are kept, tried again, given up by a reset; and on a disk with
 * limits, on real threads.
 */
/* helpers: guest_ring.c disk_rig.c fault_disk.c */
#include "barrier.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include "guest_ring.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define QUEUES 4
#define SLOTS 64u		/* of a queue */
#define ROOM 4096u		/* of data for each */
#define FEATURES \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX | \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_F_RING_RESET | \
	 1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_MQ | \
	 1ull << VIRTIO_BLK_F_DISCARD)
#define STATUS \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
	 VIRTIO_CONFIG_S_FEATURES_OK)

struct slot {
	u64 header, data, status, table;
};

static struct arena arena;
static struct disk *disk;
static char path[256];
static struct iothread *threads[QUEUES];
static unsigned int nthreads;
static struct virtio_blk *blk;
static struct virtio_device *dev;
static struct guest_ring rings[QUEUES];
static struct slot slots[QUEUES][SLOTS];
static struct virtio_blk_params params;	/* of the next device */

/* What the device wanted the guest to be paused for. */
static pthread_mutex_t pause_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int pauses;
static char pause_why[256];

static void on_pause(void *ctx, const char *why)
{
	expect(ctx == &pauses);
	pthread_mutex_lock(&pause_lock);
	pauses++;
	snprintf(pause_why, sizeof(pause_why), "%s", why);
	pthread_mutex_unlock(&pause_lock);
}

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static unsigned int pauses_now(void)
{
	unsigned int n;

	pthread_mutex_lock(&pause_lock);
	n = pauses;
	pthread_mutex_unlock(&pause_lock);
	return n;
}

/* Until it was paused @n times, for what has these words in it. */
static void expect_paused(unsigned int n, const char *words)
{
	u64 end = now_ns() + 10000000000;

	while (pauses_now() < n && now_ns() < end)
		usleep(1000);
	pthread_mutex_lock(&pause_lock);
	ck_assert_uint_eq(pauses, n);
	ck_assert_msg(strstr(pause_why, words), "not \"%s\": %s", words,
		      pause_why);
	pthread_mutex_unlock(&pause_lock);
}

static bool on_queue_interrupt(struct virtio_device *d, unsigned int q)
{
	u64 one = 1;

	(void)d;
	expect(write(rings[q].call_fd, &one, sizeof(one)) == sizeof(one));
	return true;
}

static void on_config_interrupt(struct virtio_device *d)
{
	(void)d;
}

static const struct virtio_transport_ops transport = {
	.queue_interrupt = on_queue_interrupt,
	.config_interrupt = on_config_interrupt,
};

static void setup(void)
{
	params = (struct virtio_blk_params){
		.name = "vdt",
		.serial = "",
		.queue_size = SLOTS,
		.nqueues = QUEUES,
		.threads = threads,
		.on_error = { .pause = on_pause, .ctx = &pauses },
	};
	pauses = 0;
	memset(&fault_host, 0, sizeof(fault_host));
}

static void set_status(u8 status)
{
	pthread_mutex_lock(&dev->lock);
	virtio_device_set_status(dev, status);
	pthread_mutex_unlock(&dev->lock);
}

/* From reset to DRIVER_OK, with fresh rings. */
static void drive(void)
{
	u64 count;

	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	pthread_mutex_lock(&dev->lock);
	virtio_device_set_features(dev, FEATURES & dev->features);
	pthread_mutex_unlock(&dev->lock);
	set_status(STATUS);
	pthread_mutex_lock(&dev->lock);
	for (unsigned int q = 0; q < QUEUES; q++) {
		ring_reset(&rings[q], FEATURES);
		if (read(rings[q].call_fd, &count, sizeof(count)) < 0)
			count = 0;
		dev->queues[q].config = rings[q].config;
		virtio_device_enable_queue(dev, q);
	}
	pthread_mutex_unlock(&dev->lock);
	set_status(STATUS | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void open_blk(struct disk *d, unsigned int n)
{
	disk = d;
	nthreads = params.nthreads = n;
	arena_init(&arena, 32u << 20);
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(iothread_new(&threads[i], "test"), 0);
	ck_assert_int_eq(virtio_blk_new(&blk, &arena.mem, disk, &params), 0);
	dev = virtio_blk_device(blk);
	dev->transport = &transport;
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(iothread_start(threads[i]), 0);
	for (unsigned int q = 0; q < QUEUES; q++) {
		ring_init(&rings[q], &arena, SLOTS, FEATURES);
		rings[q].kick_fd = dev->queues[q].kick_fd;
		rings[q].call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		for (unsigned int i = 0; i < SLOTS; i++)
			slots[q][i] = (struct slot){
				.header = arena_alloc(&arena, 16, 1),
				.data = arena_alloc(&arena, ROOM, 512),
				.status = arena_alloc(&arena, 1, 1),
				.table = arena_alloc(&arena, 64 * 16, 16),
			};
	}
	drive();
}

/* On a file, by native AIO, whose calls fault_host can refuse and cut. */
static void open_file(enum disk_cache cache)
{
	struct disk_params p = {
		.path = path,
		.engine = DISK_ENGINE_NATIVE,
		.cache = cache,
	};
	struct disk *d;

	rig_file(path, sizeof(path), "/tmp", 1u << 20);
	ck_assert_int_eq(disk_open(&d, &p), 0);
	open_blk(d, 1);
}

static void close_blk(void)
{
	for (unsigned int i = 0; i < nthreads; i++)
		iothread_stop(threads[i]);
	virtio_blk_free(blk);
	for (unsigned int i = 0; i < nthreads; i++)
		iothread_free(threads[i]);
	disk_close(disk);
	for (unsigned int q = 0; q < QUEUES; q++)
		close(rings[q].call_fd);
	arena_exit(&arena);
	if (*path)
		unlink(path);
	*path = 0;
}

static u8 *status_byte(unsigned int q, unsigned int i)
{
	return arena_ptr(&arena, slots[q][i].status, 1);
}

static u8 *slot_data(unsigned int q, unsigned int i)
{
	return arena_ptr(&arena, slots[q][i].data, ROOM);
}

/* A request of three buffers of data, none of them the same; not yet seen. */
static void add(unsigned int q, unsigned int i, u32 type, u64 sector, u32 len)
{
	struct virtio_blk_outhdr h = {
		.type = (__force __virtio32)cpu_to_le32(type),
		.sector = (__force __virtio64)cpu_to_le64(sector),
	};
	const struct slot *s = &slots[q][i];
	bool in = type == VIRTIO_BLK_T_IN;
	const struct ring_buf bufs[] = {
		{ s->header, 16, false },
		{ s->data, len / 2, in },
		{ s->data + len / 2, len / 4, in },
		{ s->data + len / 4 * 3, len / 4, in },
		{ s->status, 1, true },
	};
	const struct ring_buf bare[] = { bufs[0], bufs[4] };

	memcpy(arena_ptr(&arena, s->header, 16), &h, sizeof(h));
	*status_byte(q, i) = 0xee;
	if (len)
		ring_add_indirect(&rings[q], s->table, bufs, 5);
	else
		ring_add_indirect(&rings[q], s->table, bare, 2);
}

static void submit(unsigned int q, u32 type, u64 sector, u32 len)
{
	add(q, 0, type, sector, len);
	ring_kick(&rings[q]);
}

/* The submitted one is done. */
static void expect_done(unsigned int q, u8 status, u32 want_len)
{
	u32 len;

	ring_wait_used(&rings[q], &len);
	ck_assert_uint_eq(*status_byte(q, 0), status);
	ck_assert_uint_eq(len, want_len);
}

static u64 stat(unsigned int q, size_t offset)
{
	return read_once((const u64 *)((const char *)virtio_blk_stats(blk, q) +
				       offset));
}
#define STAT(q, name) stat(q, offsetof(struct virtio_blk_stats, name))

/* --- policies ------------------------------------------------------------ */

/*
 * A write that fails in its middle, whole sectors or not, is kept; what is
 * left of it is tried when it is said so, and if it fails then, once more.
 */
START_TEST(test_write_kept_and_retried)
{
	unsigned int cut = _i ? 1000 : 1024;
	char want[4096], got[4096];
	char words[64];
	int fd;

	params.on_error.write = VIRTIO_BLK_STOP;
	open_file(_i ? DISK_CACHE_WRITEBACK : DISK_CACHE_NONE);
	fault_host.cut = cut;
	fault_host.refuse = ENOSPC;
	fault_host.refuse_offset = 2 * cut;
	rig_fill(want, sizeof(want), 7);
	memcpy(slot_data(0, 0), want, sizeof(want));
	submit(0, VIRTIO_BLK_T_OUT, 0, 4096);
	expect_paused(1, "vdt: host write of 4096 bytes at 0 failed: No space left on device");
	ck_assert(!ring_used_pending(&rings[0]));
	virtio_blk_retry(blk);
	snprintf(words, sizeof(words), "write of %u bytes at %u failed",
		 4096 - 2 * cut, 2 * cut);
	expect_paused(2, words);
	ck_assert(!ring_used_pending(&rings[0]));
	ck_assert_uint_eq(*status_byte(0, 0), 0xee);
	fault_host.refuse = 0;
	virtio_blk_retry(blk);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	ck_assert_uint_eq(STAT(0, kept), 2);
	ck_assert_uint_eq(STAT(0, errors), 0);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, got, sizeof(got)), sizeof(got));
	close(fd);
	ck_assert_mem_eq(got, want, sizeof(want));
	virtio_blk_retry(blk);	/* nothing is left */
	close_blk();
}
END_TEST

START_TEST(test_read_kept_and_retried)
{
	unsigned int cut = _i ? 1000 : 1024;
	char want[4096];

	params.on_error.read = VIRTIO_BLK_STOP;
	open_file(_i ? DISK_CACHE_WRITEBACK : DISK_CACHE_NONE);
	rig_fill(want, sizeof(want), 9);
	memcpy(slot_data(0, 0), want, sizeof(want));
	submit(0, VIRTIO_BLK_T_OUT, 8, 4096);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	memset(slot_data(0, 0), 0xaa, 4096);
	fault_host.cut = cut;
	fault_host.refuse = EIO;
	fault_host.refuse_offset = 4096 + 3 * cut;
	submit(0, VIRTIO_BLK_T_IN, 8, 4096);
	expect_paused(1, "vdt: host read of 4096 bytes at 4096 failed: Input/output error");
	fault_host.refuse = 0;
	virtio_blk_retry(blk);
	expect_done(0, VIRTIO_BLK_S_OK, 4097);
	ck_assert_mem_eq(slot_data(0, 0), want, sizeof(want));
	close_blk();
}
END_TEST

enum outcome { REPORTED, PAUSED, IGNORED };

static const struct {
	enum virtio_blk_policy read, write;
	u32 type;
	int err;
	enum outcome outcome;
} policies[] = {
	{ VIRTIO_BLK_REPORT, VIRTIO_BLK_STOP, VIRTIO_BLK_T_IN, EIO, REPORTED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_REPORT, VIRTIO_BLK_T_OUT, EIO, REPORTED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_REPORT, VIRTIO_BLK_T_IN, EIO, PAUSED },
	{ VIRTIO_BLK_REPORT, VIRTIO_BLK_STOP, VIRTIO_BLK_T_OUT, EIO, PAUSED },
	{ VIRTIO_BLK_IGNORE, VIRTIO_BLK_STOP, VIRTIO_BLK_T_IN, EIO, IGNORED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_IGNORE, VIRTIO_BLK_T_OUT, EIO, IGNORED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_ENOSPC, VIRTIO_BLK_T_OUT, EIO, REPORTED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_ENOSPC, VIRTIO_BLK_T_OUT, ENOSPC, PAUSED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_ENOSPC, VIRTIO_BLK_T_OUT, EDQUOT, PAUSED },
};

START_TEST(test_policies)
{
	bool in = policies[_i].type == VIRTIO_BLK_T_IN;
	struct rig_capture c;

	params.on_error.read = policies[_i].read;
	params.on_error.write = policies[_i].write;
	open_file(DISK_CACHE_NONE);
	fault_host.refuse = policies[_i].err;
	fault_host.refuse_offset = 8192;
	memset(slot_data(0, 0), 0xaa, 4096);
	rig_capture_start(&c);
	submit(0, policies[_i].type, 16, 4096);
	switch (policies[_i].outcome) {
	case REPORTED:
		expect_done(0, VIRTIO_BLK_S_IOERR, in ? 0 : 1);
		break;
	case IGNORED:
		expect_done(0, VIRTIO_BLK_S_OK, in ? 4097 : 1);
		ck_assert_uint_eq(slot_data(0, 0)[0], in ? 0 : 0xaa);
		ck_assert_uint_eq(slot_data(0, 0)[4095], in ? 0 : 0xaa);
		break;
	case PAUSED:
		expect_paused(1, strerror(policies[_i].err));
		fault_host.refuse = 0;
		virtio_blk_retry(blk);
		expect_done(0, VIRTIO_BLK_S_OK, in ? 4097 : 1);
	}
	rig_capture_end(&c);
	if (policies[_i].outcome != PAUSED)
		rig_expect_line(&c, "vdt", in ? "read" : "write", "told once");
	else
		ck_assert_str_eq(c.text, "");	/* that is the VM's to tell */
	ck_assert_uint_eq(STAT(0, ignored), policies[_i].outcome == IGNORED);
	ck_assert_uint_eq(STAT(0, errors), policies[_i].outcome == REPORTED);
	close_blk();
}
END_TEST

/* A read that is ignored gives what there was, and zeroes behind it. */
START_TEST(test_ignored_read_keeps_its_beginning)
{
	params.on_error.read = VIRTIO_BLK_IGNORE;
	open_file(DISK_CACHE_NONE);
	memset(slot_data(0, 0), 0x55, 4096);
	submit(0, VIRTIO_BLK_T_OUT, 0, 4096);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	memset(slot_data(0, 0), 0xaa, 4096);
	fault_host.cut = 1024;
	fault_host.refuse = EIO;
	fault_host.refuse_offset = 1024;
	submit(0, VIRTIO_BLK_T_IN, 0, 4096);
	expect_done(0, VIRTIO_BLK_S_OK, 4097);
	ck_assert_uint_eq(slot_data(0, 0)[1023], 0x55);
	ck_assert_uint_eq(slot_data(0, 0)[1024], 0);
	ck_assert_uint_eq(slot_data(0, 0)[4095], 0);
	close_blk();
}
END_TEST

/* Flushes go by werror=. */
START_TEST(test_flush)
{
	static const enum virtio_blk_policy writes[] = {
		VIRTIO_BLK_REPORT, VIRTIO_BLK_IGNORE, VIRTIO_BLK_ENOSPC,
	};
	struct rig_capture c;

	params.on_error.read = VIRTIO_BLK_STOP;
	params.on_error.write = writes[_i];
	open_blk(rig_open(&disk_fault_ops, "fault:1:100:0:memory:1048576"), 1);
	rig_capture_start(&c);
	submit(0, VIRTIO_BLK_T_FLUSH, 0, 0);
	expect_done(0, writes[_i] == VIRTIO_BLK_IGNORE ? VIRTIO_BLK_S_OK :
							 VIRTIO_BLK_S_IOERR, 1);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "flush", "told once");
	close_blk();
}
END_TEST

/* --- stopped ------------------------------------------------------------- */

/* A reset, of the device or of the queue, gives up what is kept. */
START_TEST(test_reset_gives_up)
{
	static const u32 types[] = { VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH };

	params.on_error.write = VIRTIO_BLK_STOP;
	open_blk(rig_open(&disk_fault_ops, "fault:1:100:0:memory:1048576"), 2);
	for (unsigned int i = 0; i < 4; i++) {
		submit(0, types[i % 2], 0, types[i % 2] ==
				VIRTIO_BLK_T_OUT ? 4096 : 0);
		expect_paused(i + 1, i % 2 ? "flush" : "write");
		if (i < 2) {
			set_status(0);
		} else {
			pthread_mutex_lock(&dev->lock);
			virtio_device_reset_queue(dev, 0);
			pthread_mutex_unlock(&dev->lock);
		}
		ck_assert_uint_eq(ring_used_idx(&rings[0]), 1);
		ck_assert_uint_eq(*status_byte(0, 0), VIRTIO_BLK_S_IOERR);
		virtio_blk_retry(blk);	/* by SIGUSR2, too late */
		ck_assert_uint_eq(ring_used_idx(&rings[0]), 1);
		set_status(0);
		drive();
	}
	ck_assert_uint_eq(pauses_now(), 4);
	close_blk();
}
END_TEST

/* What others have in flight completes, on the same thread and on another. */
START_TEST(test_others_go_on)
{
	params.on_error.write = VIRTIO_BLK_STOP;
	open_file(DISK_CACHE_NONE);
	fault_host.refuse = EIO;
	fault_host.refuse_offset = 0;
	submit(0, VIRTIO_BLK_T_OUT, 0, 4096);
	expect_paused(1, "write");
	for (unsigned int q = 1; q < QUEUES; q++) {
		submit(q, VIRTIO_BLK_T_OUT, 8 * q, 4096);
		expect_done(q, VIRTIO_BLK_S_OK, 1);
	}
	add(0, 1, VIRTIO_BLK_T_IN, 64, 4096);	/* and of the same queue */
	ring_kick(&rings[0]);
	expect(ring_wait_used(&rings[0], &(u32){ 0 }) < SLOTS);
	ck_assert_uint_eq(*status_byte(0, 1), VIRTIO_BLK_S_OK);
	fault_host.refuse = 0;
	virtio_blk_retry(blk);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	close_blk();
}
END_TEST

/*
 * Every fifth request fails, each time it is tried, and completions come late
 * and in any order: with someone who resumes all is done, once, and right.
 */
START_TEST(test_all_is_done_in_the_end)
{
	unsigned int rounds = test_scale(200), seen = 0;

	params.on_error.read = params.on_error.write = VIRTIO_BLK_STOP;
	open_blk(rig_open(&disk_fault_ops, "fault:7:20:3:memory:1048576"), 2);
	for (unsigned int round = 0; round < 2 * rounds; round++) {
		bool write = round % 2 == 0;
		unsigned int got = 0;
		char want[ROOM];
		u32 id, len;

		for (unsigned int n = 0; n < 4 * 16; n++) {
			unsigned int q = n % 4, i = n / 4;

			if (write)
				rig_fill((char *)slot_data(q, i), ROOM, round + n);
			else
				memset(slot_data(q, i), 0, ROOM);
			add(q, i, write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
			    8 * n, ROOM);
		}
		for (unsigned int q = 0; q < 4; q++)
			ring_kick(&rings[q]);
		while (got < 4 * 16) {
			for (unsigned int q = 0; q < 4; q++)
				while (ring_get(&rings[q], &id, &len)) {
					expect(len == (write ? 1 : ROOM + 1));
					got++;
				}
			if (pauses_now() > seen) {
				seen = pauses_now();
				virtio_blk_retry(blk);
			}
		}
		for (unsigned int n = 0; n < 4 * 16; n++) {
			expect(*status_byte(n % 4, n / 4) == VIRTIO_BLK_S_OK);
			rig_fill(want, ROOM, round - !write + n);
			expect(!memcmp(slot_data(n % 4, n / 4), want, ROOM));
		}
	}
	ck_assert_uint_gt(seen, rounds);
	close_blk();
}
END_TEST

/* --- limits -------------------------------------------------------------- */

/* Fill all queues again and again until @total are done; ns since then. */
static u64 pump_limited(unsigned int total, unsigned int *got)
{
	unsigned int sum = 0;
	u64 begin = now_ns();
	u32 id, len;

	while (sum < total) {
		for (unsigned int q = 0; q < QUEUES; q++) {
			while (ring_get(&rings[q], &id, &len)) {
				got[q]++;
				sum++;
			}
			while (rings[q].nfree)	/* a slot for each head */
				add(q, rings[q].first_free, VIRTIO_BLK_T_IN, 0,
				    512);
			ring_kick(&rings[q]);
		}
		usleep(200);
	}
	return now_ns() - begin;
}

/*
 * Four queues that always have more, on one to four threads: together they get
 * what the limit allows, and each a good part; the threads sleep meanwhile.
 */
START_TEST(test_limited)
{
	static const u64 iops[] = { 100, 5000, 100000 };
	unsigned int n = (unsigned int)(_i / 3), least = ~0u;
	u64 rate = iops[_i % 3], total = rate / 2, ns, sleeps = 0;
	unsigned int got[QUEUES] = { 0 };

	n = n ? 1u << n : 1;
	params.limits.requests = (struct limit_rate){ rate, 1 };
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), n);
	ns = pump_limited((unsigned int)total, got);
	/* 10 ms of burst, 200 us or a request of each queue. */
	ck_assert_uint_ge(ns, (total - QUEUES) * 1000000000 / rate * 98 / 100 - 11000000);
	for (unsigned int q = 0; q < QUEUES; q++) {
		least = got[q] < least ? got[q] : least;
		ck_assert_uint_gt(STAT(q, throttled), 0);
		ck_assert_uint_gt(STAT(q, throttled_ns), 0);
		ck_assert_uint_le(STAT(q, throttled_ns), 2 * ns);
	}
	ck_assert_uint_ge(least, total / QUEUES / 4);
	for (unsigned int i = 0; i < n; i++) {
		const struct iothread_stats *t = iothread_stats(threads[i]);

		sleeps += read_once(&t->sleeps);
		ck_assert_uint_lt(read_once(&t->poll_vain_ns), ns / 4);
	}
	ck_assert_uint_le(sleeps, ns / 200000 * n * QUEUES + 100);
	/* The reset waits for no turn. */
	ns = now_ns();
	set_status(0);
	ck_assert_uint_lt(now_ns() - ns, 1000000000);
	close_blk();
}
END_TEST

/* Bytes of reads and writes alike; a flush is free, but waits behind them. */
START_TEST(test_bytes_limited)
{
	u64 begin;

	params.limits.bytes = (struct limit_rate){ 40960, 1 };
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 1);
	begin = now_ns();
	for (unsigned int i = 0; i < 6; i++) {
		submit(0, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 0, 4096);
		expect_done(0, VIRTIO_BLK_S_OK, i % 2 ? 4097 : 1);
	}
	submit(0, VIRTIO_BLK_T_FLUSH, 0, 0);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
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

	params.limits.bytes = (struct limit_rate){ 1, 1 };
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 1);
	submit(0, VIRTIO_BLK_T_IN, 0, 4096);
	expect_done(0, VIRTIO_BLK_S_OK, 4097);
	submit(0, VIRTIO_BLK_T_IN, 0, 4096);
	while (!STAT(0, throttled))
		usleep(1000);
	usleep(20000);
	ck_assert(!ring_used_pending(&rings[0]));
	set_status(0);
	ck_assert_uint_eq(ring_used_idx(&rings[0]), 1);
	ck_assert_uint_gt(STAT(0, throttled_ns), 10000000);
	drive();	/* it does not get more by that */
	submit(0, VIRTIO_BLK_T_IN, 0, 4096);
	usleep(20000);
	ck_assert(!ring_used_pending(&rings[0]));
	set_status(0);
	ck_assert_uint_lt(now_ns() - begin, 5000000000);
	close_blk();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blk_error");
	TCase *tc = tcase_create("error");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_write_kept_and_retried, 0, 2);
	tcase_add_loop_test(tc, test_read_kept_and_retried, 0, 2);
	tcase_add_loop_test(tc, test_policies, 0,
			    sizeof(policies) / sizeof(policies[0]));
	tcase_add_test(tc, test_ignored_read_keeps_its_beginning);
	tcase_add_loop_test(tc, test_flush, 0, 3);
	tcase_add_test(tc, test_reset_gives_up);
	tcase_add_test(tc, test_others_go_on);
	tcase_add_test(tc, test_all_is_done_in_the_end);
	tcase_add_loop_test(tc, test_limited, 0, 9);
	tcase_add_test(tc, test_bytes_limited);
	tcase_add_test(tc, test_reset_while_throttled);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
